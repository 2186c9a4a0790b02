namespace Dataflow.Cuda.Tests.Cudnn;

/// <summary>One row of the tables: operation, type that it computes in, operands by name, result by name and what that is.</summary>
internal sealed record ExpectedOperation(string Kind, long Compute, string[] Inputs, string Output, string Class);

/// <summary>
/// The operations of attention in the order in which cuDNN's frontend emits them, as tables. Names in capitals have memory or are
/// numbers; all others are intermediate. Computed in fp32 (0), int32 (4) or as truth (11).
/// </summary>
internal static class ExpectedOperations
{
    private const long Float = 0;
    private const long Int32 = 4;
    private const long Truth = 11;

    public static List<ExpectedOperation> Of(GraphQuestion asked) => asked.Backward ? Backward(asked) : Forward(asked);

    private static List<ExpectedOperation> Forward(GraphQuestion asked)
    {
        List<ExpectedOperation> all =
        [
            Row(asked.Documents ? "matmul padded by 0 m=14 n=15" : "matmul", Float, "Q K", "s0", "score"),
            Row("mul", Float, "s0 SCALE", "s1", "score"),
            .. Softcap(asked, "s1", "s"),
            .. Padding(asked, "s", "s_padded"),
            .. Band(asked, "s_padded", "s_masked"),
            Row("largest", Float, "s_masked", "m0", "row"),
            .. asked.Sink ? [Row("max", Float, "m0 SINK", "m", "row")] : Same("m0", "m"),
            Row("sub", Float, "s_masked m", "e0", "score"),
            Row("exp", Float, "e0", "e", "score"),
            Row("sum", Float, "e", "z0", "row"),
        ];
        if (asked.Sink)
        {
            all.Add(Row("sub", Float, "SINK m", "sink0", "row"));
            all.Add(Row("exp", Float, "sink0", "sink1", "row"));
            all.Add(Row("add", Float, "z0 sink1", "z", "row"));
        }
        else
        {
            all.AddRange(Same("z0", "z"));
        }

        all.Add(Row("log", Float, "z", "lz", "row"));
        all.Add(Row("add", Float, "m lz", "STATS", ""));
        all.Add(Row("div", Float, "e z", "p", "score_bf16"));
        all.Add(Row(asked.Documents ? "matmul m=14 k=15" : "matmul", Float, "p V", "O", ""));
        return all;
    }

    private static List<ExpectedOperation> Backward(GraphQuestion asked)
    {
        string product = asked.Documents ? "matmul m=14 n=15" : "matmul", byKey = asked.Documents ? "matmul m=15 k=14" : "matmul";
        List<ExpectedOperation> all =
        [
            Row("mul", Float, "DO O", "t", "query_fp32"),
            Row("sum", Float, "t", "d0", "row"),
            Row("mul", Float, "d0 ONE", "D", ""),
            Row(product, Float, "Q K", "s0", "score"),
            Row("mul", Float, "s0 SCALE", "s1", "score"),
            .. Softcap(asked, "s1", "s"),
            .. Padding(asked, "s", "s_padded"),
            Row("sub", Float, "s_padded STATS", "s2", "score"),
            .. Band(asked, "s2", "s3"),
            Row("exp", Float, "s3", "p", "score"),
        ];
        if (asked.Sink)
        {
            all.Add(Row("sub", Float, "SINK STATS", "sink0", "row"));
            all.Add(Row("exp", Float, "sink0", "sink1", "row"));
            all.Add(Row("mul", Float, "sink1 d0", "sink2", "row"));
            all.Add(Row("sum", Float, "sink2", "DSINK", ""));
        }

        all.Add(Row("reshape", -1, "p", "pt", "by_key"));
        all.AddRange(KeyGradient(asked, byKey, "pt DO", "DV"));
        all.Add(Row(product, Float, "DO V", "g0", "score"));
        all.Add(Row("sub", Float, "g0 D", "g1", "score"));
        all.Add(Row("mul", Float, "g1 p", "g2", "score"));
        if (asked.Softcap is not null)
        {
            all.Add(Row("mul", Float, "g2 CAP", "c0", "score"));
            all.Add(Row("tanh_bwd", Float, "within c0", "c1", "score"));
            all.Add(Row("div", Float, "c1 CAP", "g3", "score"));
        }
        else
        {
            all.AddRange(Same("g2", "g3"));
        }

        all.Add(Row("mul", Float, "g3 SCALE", "ds", "score"));
        all.Add(Row("reshape", -1, "ds", "dst", "by_key"));
        all.AddRange(KeyGradient(asked, byKey, "dst Q", "DK"));
        all.Add(Row("reshape", -1, "K", "k", "key"));
        bool rounded = asked.Ordered && !asked.WideGradQuery;
        all.Add(Row(asked.Documents ? "matmul m=14 k=15" : "matmul", Float, "ds k", rounded ? "DQACC" : "DQ", ""));
        if (rounded)
        {
            all.Add(Row("identity", Float, "DQACC", "DQ", ""));
        }

        return all;
    }

    private static ExpectedOperation[] Softcap(GraphQuestion asked, string from, string to) =>
        asked.Softcap is null
            ? Same(from, to)
            :
            [
                Row("div", Float, $"{from} CAP", "within", "score"),
                Row("tanh", Float, "within", "tanh", "score"),
                Row("mul", Float, "tanh CAP", to, "score"),
            ];

    private static ExpectedOperation[] Padding(GraphQuestion asked, string from, string to) =>
        !asked.Documents
            ? Same(from, to)
            :
            [
                Row("index2", Int32, from, "pad_row", "place"),
                Row("index3", Int32, from, "pad_column", "place"),
                Row("lt", Truth, "pad_row SQ", "pad_row_in", "truth"),
                Row("lt", Truth, "pad_column SK", "pad_column_in", "truth"),
                Row("and", Truth, "pad_row_in pad_column_in", "pad_in", "truth"),
                Row("select", Float, $"{from} PADFILL pad_in", to, "score"),
            ];

    private static ExpectedOperation[] Band(GraphQuestion asked, string from, string to)
    {
        string between = asked.Causal ? "s_causal" : from;
        ExpectedOperation[] causal =
        [
            Row("index2", Float, from, "row", "place"),
            Row("index3", Float, from, "column", "place"),
            Row("add", Int32, "row SK", "row1", "place"),
            Row("sub", Int32, "row1 SQ", "row2", "place"),
            Row("ge", Truth, "row2 column", "seen", "truth"),
            Row("select", Float, $"{from} FILL seen", between, "score"),
        ];
        ExpectedOperation[] window =
        [
            Row("index2", Float, between, "window_row", "place"),
            Row("index3", Float, between, "window_column", "place"),
            .. asked.Documents
                ?
                [
                    Row("add", Int32, "window_column WINDOW", "reach0", "place"),
                    Row("sub", Int32, "reach0 SK", "reach1", "place"),
                    Row("add", Int32, "reach1 SQ", "reach", "place"),
                ]
                : new[] { Row("add", Float, "window_column WINDOW", "reach", "score") },
            Row("gt", Truth, "reach window_row", "near", "truth"),
            Row("select", Float, $"{between} WINDOWFILL near", to, "score"),
        ];
        return [.. asked.Causal ? causal : [], .. asked.Window is null ? Same(between, to) : window];
    }

    private static ExpectedOperation[] KeyGradient(GraphQuestion asked, string matmul, string inputs, string output) =>
        asked.Heads == asked.KvHeads
            ? [Row(matmul, Float, inputs, output, "")]
            : [Row(matmul, Float, inputs, output + "_heads", "key_heads"), Row("sum", Float, output + "_heads", output, "")];

    // Two names for one tensor.
    private static ExpectedOperation[] Same(string from, string to) => [Row("same", 0, from, to, "")];

    private static ExpectedOperation Row(string kind, long compute, string inputs, string output, string @class) =>
        new(kind, compute, inputs.Split(' '), output, @class);
}
