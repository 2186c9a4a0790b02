using System.Text.Json.Nodes;

namespace Dataflow.Cuda.Tests.Cudnn;

/// <summary>
/// Holds a graph of the file against what cuDNN's attention must be given, more strictly than cuDNN, which takes wrong types, strides and
/// comparisons in silence and ends the process at others. It reads numbers alone and shares no code with what built them.
/// </summary>
internal sealed class GraphChecker
{
    private const long Float = 0;
    private const long Int32 = 4;
    private const long BFloat16 = 9;
    private const long Truth = 11;

    private static readonly Dictionary<string, long> s_ids = new()
    {
        ["Q"] = 1, ["K"] = 2, ["V"] = 3, ["O"] = 4, ["STATS"] = 5, ["DO"] = 6, ["DQ"] = 7, ["DK"] = 8, ["DV"] = 9, ["D"] = 10,
        ["DQACC"] = 11, ["SINK"] = 12, ["DSINK"] = 13, ["SQ"] = 14, ["SK"] = 15, ["QOFFSETS"] = 16, ["KOFFSETS"] = 17, ["SCALE"] = 18,
        ["ONE"] = 19, ["CAP"] = 20, ["WINDOW"] = 21, ["PADFILL"] = 22, ["FILL"] = 23, ["WINDOWFILL"] = 24,
    };

    private readonly GraphQuestion asked;
    private readonly List<string> faults;
    private readonly Dictionary<long, ReadTensor> tensors = [];
    private readonly Dictionary<string, long> named = new(s_ids);
    private readonly HashSet<long> defined = [];

    private GraphChecker(GraphQuestion asked, GraphReading graph)
    {
        this.asked = asked;
        faults = [.. graph.Faults];
        if (faults.Count > 0)
        {
            return;
        }

        foreach (var tensor in graph.Tensors)
        {
            tensors[tensor.Id] = tensor;
        }

        Operations(graph);
        Rules();
    }

    /// <summary>What is wrong with a graph, in words; nothing where it is right.</summary>
    public static IReadOnlyList<string> Faults(JsonObject graph, GraphQuestion asked) => new GraphChecker(asked, new(graph)).faults;

    /// <summary>What is wrong with the numbers that a run would give.</summary>
    public static IEnumerable<string> ScalarFaults(IEnumerable<CudnnScalar> scalars, GraphQuestion asked)
    {
        foreach (var scalar in scalars)
        {
            double expected = (int)scalar.Operand switch
            {
                14 => asked.Queries,
                15 => asked.Keys,
                18 => (float)(1 / Math.Sqrt(asked.HeadDim)),
                19 => 1,
                20 => (float)asked.Softcap!.Value,
                21 => asked.Documents ? asked.Window!.Value : asked.Window!.Value - asked.Keys + asked.Queries,
                22 or 23 or 24 => double.NegativeInfinity,
                _ => double.NaN,
            };
            if (scalar.Value != expected)
            {
                yield return $"number {(int)scalar.Operand} is {scalar.Value}, not {expected}";
            }
        }
    }

    private void Operations(GraphReading graph)
    {
        var expected = ExpectedOperations.Of(asked);
        int at = 0;
        foreach (var row in expected)
        {
            if (row.Kind == "same")
            {
                named[row.Output] = named.GetValueOrDefault(row.Inputs[0]);
                continue;
            }

            if (at == graph.Operations.Count)
            {
                faults.Add($"{row.Kind} to {row.Output} is missing at the end");
                return;
            }

            var found = graph.Operations[at++];
            long[] inputs = [.. row.Inputs.Select(i => named.GetValueOrDefault(i))];
            if (found.Kind != row.Kind || found.Compute != row.Compute || !found.Inputs.SequenceEqual(inputs))
            {
                faults.Add(
                    $"operation {at} is {found.Kind} in {found.Compute} of {string.Join(' ', found.Inputs)}, not {row.Kind} in "
                        + $"{row.Compute} of {string.Join(' ', row.Inputs)} ({string.Join(' ', inputs)})");
                return;
            }

            if (!defined.Add(found.Output))
            {
                faults.Add($"tensor {found.Output} is computed twice");
            }

            if (s_ids.TryGetValue(row.Output, out long id))
            {
                if (found.Output != id)
                {
                    faults.Add($"operation {at} writes tensor {found.Output}, not {row.Output} ({id})");
                }
            }
            else
            {
                named[row.Output] = found.Output;
                Hold(row.Output, tensors[found.Output], Virtual(row.Class));
            }
        }

        if (at < graph.Operations.Count)
        {
            faults.Add($"{graph.Operations[at].Kind} is one operation too many");
        }

        foreach (string name in Named(expected))
        {
            if (tensors.TryGetValue(s_ids[name], out var tensor))
            {
                Hold(name, tensor, Real(name));
            }
            else
            {
                faults.Add($"{name} is missing");
            }
        }

        long[] others = [.. tensors.Keys.Except(named.Values)];
        if (others.Length > 0)
        {
            faults.Add($"tensors {string.Join(' ', others)} have no part in it");
        }
    }

    private IEnumerable<string> Named(List<ExpectedOperation> expected) =>
        expected.SelectMany(e => e.Inputs.Append(e.Output))
            .Concat(asked.Documents ? ["SQ", "SK", "QOFFSETS", "KOFFSETS"] : [])
            .Where(s_ids.ContainsKey)
            .Distinct();

    // Rules that hold whatever was asked.
    private void Rules()
    {
        if (asked.Causal && asked.Queries > asked.Keys)
        {
            faults.Add("more queries than keys leave rows without a key");
        }

        foreach (var tensor in tensors.Values.Where(t => !t.IsVirtual && t.Type == BFloat16))
        {
            long[] steps = [.. tensor.Strides.Where(s => s != 1)];
            if (tensor.Strides.Count(s => s == 1) != 1 || steps.Any(s => s * 2 % 16 != 0))
            {
                faults.Add($"tensor {tensor.Id} has strides {string.Join(' ', tensor.Strides)}: one of 1, the others of 16 bytes");
            }
        }
    }

    private void Hold(string name, ReadTensor found, ReadTensor expected)
    {
        string Text(ReadTensor t) =>
            $"{t.Type} [{string.Join(',', t.Dimensions)}] by [{string.Join(',', t.Strides)}]"
                + $"{(t.IsVirtual ? " virtual" : "")}{(t.IsByValue ? " by value" : "")} offsets {t.Offsets}";
        if (Text(found) != Text(expected))
        {
            faults.Add($"{name} is {Text(found)}, not {Text(expected)}");
        }
    }

    private ReadTensor Virtual(string kind)
    {
        var (b, h, q, k, d) = (asked.Batch, asked.Heads, asked.Queries, asked.Keys, asked.HeadDim);
        long[] score = [b, h, q, k], scoreStrides = [h * q * k, q * k, k, 1];
        ReadTensor Of(long type, long[] dimensions, long[] strides, long? offsets = null) =>
            new(0, type, dimensions, strides, true, false, offsets);
        return kind switch
        {
            "score" => Of(Float, score, scoreStrides),
            "score_bf16" => Of(BFloat16, score, scoreStrides),
            "place" => Of(Int32, score, scoreStrides),
            "truth" => Of(Truth, score, scoreStrides),
            "row" => Of(Float, [b, h, q, 1], [h * q, q, 1, 1]),
            "query_fp32" => Of(Float, [b, h, q, d], [h * q * d, q * d, d, 1]),
            "by_key" => Of(BFloat16, [b, h, k, q], [h * q * k, q * k, 1, k]),
            "key_heads" => Of(BFloat16, [b, h, k, d], [h * k * d, k * d, d, 1]),
            "key" => Of(
                BFloat16, [b, asked.KvHeads, k, d], [k * asked.KeyRow, d, asked.KeyRow, 1], asked.Documents ? s_ids["KOFFSETS"] : null),
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such class"),
        };
    }

    private ReadTensor Real(string name)
    {
        var (b, h, g, q, k, d) = (asked.Batch, asked.Heads, asked.KvHeads, asked.Queries, asked.Keys, asked.HeadDim);
        long? queryOffsets = asked.Documents ? s_ids["QOFFSETS"] : null, keyOffsets = asked.Documents ? s_ids["KOFFSETS"] : null;
        ReadTensor Of(long type, long[] dimensions, long[] strides, long? offsets = null) =>
            new(0, type, dimensions, strides, false, false, offsets);
        ReadTensor Number(long type) => new(0, type, [1, 1, 1, 1], [1, 1, 1, 1], false, true, null);
        ReadTensor Query(long type) => Of(type, [b, h, q, d], [q * asked.QueryRow, d, asked.QueryRow, 1], queryOffsets);
        ReadTensor Key() => Of(BFloat16, [b, g, k, d], [k * asked.KeyRow, d, asked.KeyRow, 1], keyOffsets);
        ReadTensor KeyTransposed() => Of(BFloat16, [b, g, d, k], [k * asked.KeyRow, d, 1, asked.KeyRow], keyOffsets);
        return name switch
        {
            "Q" or "O" or "DO" => Query(BFloat16),
            "DQ" => Query(asked.WideGradQuery ? Float : BFloat16),
            "K" => KeyTransposed(),
            "V" => asked.Backward ? KeyTransposed() : Key(),
            "DK" or "DV" => Key(),
            "STATS" or "D" => Of(Float, [b, h, q, 1], [h * q, q, 1, 1]),
            "DQACC" => Of(Float, [b, h, q, d], [h * q * d, q * d, d, 1]),
            "SINK" or "DSINK" => Of(Float, [1, h, 1, 1], [h, 1, 1, 1]),
            "SQ" or "SK" => asked.Documents ? Of(Int32, [b, 1, 1, 1], [1, 1, 1, 1]) : Number(Int32),
            "QOFFSETS" or "KOFFSETS" => Of(Int32, [b + 1, 1, 1, 1], [1, 1, 1, 1]),
            "WINDOW" => Number(asked.Documents ? Int32 : Float),
            _ => Number(Float),
        };
    }
}
