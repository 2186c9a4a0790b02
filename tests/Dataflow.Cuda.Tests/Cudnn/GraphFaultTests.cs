using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Cuda.Tests.Cudnn;

/// <summary>
/// Faults planted into graphs as the file has them: most of them cuDNN takes in silence, one of them ends its process. The checker finds
/// each.
/// </summary>
public class GraphFaultTests
{
    private static readonly CudnnAttention s_asked = new()
    {
        Pass = CudnnPass.Forward,
        Heads = 8,
        KvHeads = 2,
        HeadDim = 64,
        Queries = 256,
        Keys = 512,
        Window = 128,
        Softcap = 50,
        Sink = true,
    };

    public static TheoryData<string, CudnnPass, bool> Faults =>
        new(
            from fault in s_faults
            from pass in new[] { CudnnPass.Forward, CudnnPass.Backward }
            from documents in new[] { false, true }
            where fault.Value.In is null || fault.Value.In == pass
            where fault.Value.Documents is null || fault.Value.Documents == documents
            select (fault.Key, pass, documents)
        );

    private static readonly Dictionary<string, Fault> s_faults = new()
    {
        ["queries' last stride is 2"] = new(g => g.Tensor(1)[903]!["values"]![3] = 2),
        ["keys' rows are a token longer"] = new(g => g.Tensor(2)[903]!["values"]![3] = 512),
        ["keys are not transposed"] = new(g => Swap(Swap(g.Tensor(2), 902), 903)),
        ["rows do not start on 16 bytes"] = new(g => g.Tensor(1)[903]!["values"]![2] = 516),
        ["queries are aligned to 8 bytes"] = new(g => g.Tensor(1)[900]!["values"]![0] = 8),
        ["logsumexp is bf16"] = new(g => g.Tensor(5)[901]!["values"]![0] = 9),
        ["output is fp32"] = new(g => g.Tensor(4)[901]!["values"]![0] = 0),
        ["the scale is bf16"] = new(g => g.Tensor(18)[901]!["values"]![0] = 9),
        ["the scale is no number of the host's"] = new(g => g.Tensor(18)[908]!["values"]![0] = 0),
        ["the mask is above, not at or above"] = new(g => g.Function(303)[0]!["values"]![0] = 302),
        ["the mask is below"] = new(g => g.Function(303)[0]!["values"]![0] = 304),
        ["the window is at or above"] = new(g => g.Function(302)[0]!["values"]![0] = 303),
        ["the mask compares columns with rows"] = new(g => Swap(g.OperationOf(303), 751, 752)),
        ["the mask keeps what it should fill"] = new(g => Swap(g.OperationOf(601), 751, 752)),
        ["the causal mask is left out"] = new(g => Bypass(g, g.Reading(601, 23))),
        ["the mask's truth is a number"] = new(g => g.TensorAt(g.OperationOf(303)[753]!)[901]!["values"]![0] = 4),
        ["lengths are added, not taken away"] = new(g => g.FunctionOf(g.Reading(9, 14))[0]!["values"]![0] = 0),
        ["places are along the other axis"] = new(g => g.Function(501)[9]!["values"]![0] = 3),
        ["places are of fp32"] = new(g => g.TensorAt(g.OperationOf(501)[753]!)[901]!["values"]![0] = 0),
        ["two masks share what they fill with"] = new(g => g.OperationOf(601, 1)[752]!["descriptors"]![0] =
            (int)g.OperationOf(601)[752]!["descriptors"]![0]!),
        ["scores are not scaled"] = new(g => Bypass(g, g.Reading(1, 18))),
        ["the softcap divides twice"] = new(g => g.FunctionOf(g.Reading(1, 20))[0]!["values"]![0] = 6),
        ["a factor is 2"] = new(g => g.OperationOf(1)[755]!["values"]![0] = 2.0),
        ["a factor is missing"] = new(g => g.OperationOf(13).Remove(754)),
        ["the product computes in bf16"] = new(g => g.Descriptors(18)[0][1500]!["values"]![0] = 9),
        ["operations are in another order"] = new(g => g.SwapOperations(1, 2)),
        ["an operation is left out of the graph"] = new(g => g.Operations.RemoveAt(3)),
        ["ids are not unlike"] = new(g => g.Tensor(5)[906]!["values"]![0] = 4),
        ["a virtual tensor is real"] = new(g => g.TensorAt(g.OperationOf(13)[753]!)[907]!["values"]![0] = 0),
        ["a reference leads to what comes later"] = new(g => g.OperationOf(13)[751]!["descriptors"]![0] = 10_000),
        ["an attribute's type is another"] = new(g => g.Tensor(1)[906]!["type"] = 23),
        ["the maximum is a sum"] = new(g => g.Descriptors(21)[0][1600]!["values"]![0] = 0) { In = CudnnPass.Forward },
        ["shares stay fp32"] = new(g => g.TensorAt(g.OperationOf(6, ^1)[753]!)[901]!["values"]![0] = 0) { In = CudnnPass.Forward },
        ["the sink does not count"] = new(g => Bypass(g, g.OperationOf(0, ^2))) { In = CudnnPass.Forward },
        ["output times its gradient is not taken away"] = new(g => Bypass(g, g.Reading(9, 10)))
            { In = CudnnPass.Backward },
        ["the second scale is missing"] = new(g => Bypass(g, g.Reading(1, 18, 1))) { In = CudnnPass.Backward },
        ["the product by 1 is missing"] = new(g => Bypass(g, g.Reading(1, 19))) { In = CudnnPass.Backward },
        ["transposed shares are fp32"] = new(g => g.TensorAt(g.Descriptors(31)[0][2201]!)[901]!["values"]![0] = 0)
            { In = CudnnPass.Backward },
        ["transposed shares are not"] = new(g => g.TensorAt(g.Descriptors(31)[0][2201]!)[903]!["values"]![3] = 1)
            { In = CudnnPass.Backward },
        ["the gradient of values is fp32"] = new(g => g.Tensor(9)[901]!["values"]![0] = 0) { In = CudnnPass.Backward },
        ["sums of the gradient of queries are bf16"] = new(g => g.Tensor(11)[901]!["values"]![0] = 9) { In = CudnnPass.Backward },
        ["the softcap's gradient is of another tensor"] = new(g => g.OperationOf(201)[751]!["descriptors"]![0] =
            (int)g.OperationOf(101)[753]!["descriptors"]![0]!) { In = CudnnPass.Backward },
        ["lengths of documents are fp32"] = new(g => g.Tensor(14)[901]!["values"]![0] = 0) { Documents = true },
        ["documents begin nowhere"] = new(g => g.Tensor(1).Remove(913)) { Documents = true },
        ["documents of keys begin where those of queries do"] = new(g => g.Tensor(3)[913]!["descriptors"]![0] =
            (int)g.Tensor(1)[913]!["descriptors"]![0]!) { Documents = true },
        ["a product takes no lengths"] = new(g => g.Descriptors(19)[0].Remove(1525)) { Documents = true },
        ["padding is not masked"] = new(g => Bypass(g, g.Reading(601, 22))) { Documents = true },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void It_is_found(string fault, CudnnPass pass, bool documents)
    {
        var graph = Graph(pass, documents);
        var question = GraphQuestion.Of(graph);
        var json = GraphFiles.Read([graph])[0];
        Assert.Empty(GraphChecker.Faults(json, question));
        var planted = new PlantedGraph(json, question);
        s_faults[fault].Plant(planted);
        planted.Write();
        Assert.NotEmpty(GraphChecker.Faults(JsonNode.Parse(json.ToJsonString())!.AsObject(), question));
    }

    [Fact]
    public void A_wrong_number_is_found()
    {
        var graph = Graph(CudnnPass.Backward, documents: false);
        var question = GraphQuestion.Of(graph);
        Assert.Empty(GraphChecker.ScalarFaults(graph.Scalars, question));
        Assert.Equal(8, graph.Scalars.Length);
        Assert.All(graph.Scalars, s =>
            Assert.Single(GraphChecker.ScalarFaults([s with { Value = 0.5 }], question)));
    }

    [Fact]
    public void More_queries_than_keys_are_found()
    {
        var graph = Graph(CudnnPass.Forward, documents: false);
        var question = GraphQuestion.Of(graph) with { Keys = 128 };
        Assert.Contains("more queries than keys leave rows without a key", GraphChecker.Faults(GraphFiles.Read([graph])[0], question));
    }

    private static CudnnGraph Graph(CudnnPass pass, bool documents)
    {
        var target = new CudnnTarget(CudnnTarget.Newest, new(9, 0));
        var asked = s_asked with { Pass = pass, Documents = documents ? 3 : null };
        return CudnnAttentionGraph.Build(Assert.IsType<CudnnAnswer.Offered>(CudnnRules.Answer(asked, target)), target);
    }

    private static PlantedDescriptor Swap(PlantedDescriptor of, int one, int other)
    {
        (of[one]!["descriptors"]![0], of[other]!["descriptors"]![0]) =
            ((int)of[other]!["descriptors"]![0]!, (int)of[one]!["descriptors"]![0]!);
        return of;
    }

    private static PlantedDescriptor Swap(PlantedDescriptor of, int name)
    {
        var values = of[name]!["values"]!;
        (values[2], values[3]) = ((long)values[3]!, (long)values[2]!);
        return of;
    }

    // Who reads what an operation writes reads its first operand; the operation goes.
    private static void Bypass(PlantedGraph graph, PlantedDescriptor operation) => graph.Bypass(operation);

    private sealed record Fault(Action<PlantedGraph> Plant)
    {
        public CudnnPass? In { get; init; }

        public bool? Documents { get; init; }
    }
}
