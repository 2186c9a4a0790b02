using System.Collections.Immutable;
using Dataflow.Model;
using static Dataflow.Cuda.CudnnAttributeName;

namespace Dataflow.Cuda.Emulated.Tests.Cudnn;

/// <summary>
/// One fault in a graph: the result is another, or the library refuses it. So whoever passes the tests of execution has every stride, mask
/// and scale right.
/// </summary>
public sealed class GraphExecutionFaultTests
{
    // Twice what a right graph may err.
    private const double Seen = 2.5e-2;

    private static readonly CudnnTarget s_target = new(new Version(9, 28, 1), new(9, 0));

    private static readonly CudnnAttention s_asked = new()
    {
        Pass = CudnnPass.Forward,
        Heads = 4,
        KvHeads = 2,
        HeadDim = 64,
        Queries = 24,
        Keys = 40,
        Window = 9,
        Softcap = 0.7,
        Sequences = 2,
    };

    private static Dictionary<string, Func<CudnnGraph, CudnnGraph>> Faults { get; } =
        new()
        {
            ["rows of keys one head apart"] = g => Tensor(g, CudnnOperand.Key, TensorStrides, 2, v => v - 64, axis: 3),
            ["sequences of keys overlap"] = g => Tensor(g, CudnnOperand.Value, TensorStrides, 0, v => v / 2),
            ["heads of queries exchanged with tokens"] = g =>
                Tensor(Tensor(g, CudnnOperand.Query, TensorStrides, 1, _ => 256), CudnnOperand.Query, TensorStrides, 2, _ => 64),
            ["statistics of all heads in one place"] = g => Tensor(g, CudnnOperand.LogSumExp, TensorStrides, 1, _ => 0),
            ["shares by key as they lie by query"] = g => Reshaped(g),
            ["a query does not see its own key"] = g => Mode(g, CudnnPointwiseMode.GreaterOrEqual, CudnnPointwiseMode.Greater),
            ["a window of one key more"] = g => Mode(g, CudnnPointwiseMode.Greater, CudnnPointwiseMode.GreaterOrEqual),
            ["positions from the first key on"] = g => Number(g, CudnnOperand.KeyLength, v => v - 16),
            ["a window around another position"] = g => Number(g, CudnnOperand.Window, v => v + 16),
            ["scores twice as large"] = g => Number(g, CudnnOperand.Scale, v => 2 * v),
            ["another softcap"] = g => Number(g, CudnnOperand.Softcap, v => v * 1.5),
            ["masked scores are 0"] = g => Number(g, CudnnOperand.CausalFill, _ => 0),
            ["no scale"] = g => Alpha(g),
            ["the axes of places exchanged"] = Axes,
            ["shares of fp32"] = g => Shares(g),
            ["a row's products twice"] = g => Number(g, CudnnOperand.One, v => 2 * v),
        };

    public static TheoryData<string> Names => [.. Faults.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_fault_is_seen(string name)
    {
        using var run = new GraphRun(s_asked, s_target, GraphExecutionTests.Parts(s_asked));
        bool planted = false;
        double error;
        try
        {
            error = run.Error(graph =>
            {
                var changed = Faults[name](graph);
                planted |= !ReferenceEquals(changed, graph);
                return changed;
            });
        }
        catch (CudaException)
        {
            error = double.PositiveInfinity; // refused, or an access where nothing may be touched
            CudaEmulation.ClearError();
        }

        Assert.True(planted, "the fault is in neither graph");
        Assert.True(error > Seen, $"an error of {error:g3} passes");
    }

    private static CudnnGraph At(CudnnGraph graph, int place, CudnnAttributeName name, Func<CudnnAttribute, CudnnAttribute> change) =>
        graph with
        {
            Descriptors = graph.Descriptors.SetItem(
                place,
                graph.Descriptors[place] with
                {
                    Attributes = [.. graph.Descriptors[place].Attributes.Select(a => a.Name == name ? change(a) : a)],
                }
            ),
        };

    private static CudnnAttribute Changed(CudnnAttribute attribute, int index, Func<long, long> change)
    {
        var integers = (CudnnAttribute.Integers)attribute;
        return integers with { Values = integers.Values.SetItem(index, change(integers.Values[index])) };
    }

    private static CudnnGraph Tensor(
        CudnnGraph graph, CudnnOperand operand, CudnnAttributeName name, int index, Func<long, long> change, int? axis = null)
    {
        int place = Places(graph, CudnnDescriptorType.Tensor).FirstOrDefault(p => First(graph, p, TensorUniqueId) == (long)operand, -1);
        return place < 0 ? graph : At(graph, place, name, a => Changed(a, axis ?? index, change));
    }

    private static CudnnGraph Number(CudnnGraph graph, CudnnOperand operand, Func<double, double> change) =>
        graph.Scalars.All(s => s.Operand != operand)
            ? graph
            : graph with
            {
                Scalars = [.. graph.Scalars.Select(s => s.Operand == operand ? s with { Value = change(s.Value) } : s)],
            };

    private static CudnnGraph Mode(CudnnGraph graph, CudnnPointwiseMode from, CudnnPointwiseMode to)
    {
        int place = Places(graph, CudnnDescriptorType.Pointwise).First(p => First(graph, p, PointwiseMode) == (long)from);
        return At(graph, place, PointwiseMode, a => Changed(a, 0, _ => (long)to));
    }

    private static CudnnGraph Axes(CudnnGraph graph) =>
        Places(graph, CudnnDescriptorType.Pointwise)
            .Where(p => First(graph, p, PointwiseMode) == (long)CudnnPointwiseMode.Index)
            .Aggregate(graph, (g, p) => At(g, p, PointwiseAxis, a => Changed(a, 0, axis => 5 - axis)));

    /// <summary>The operation that scales multiplies by 1 where its operand says something else.</summary>
    private static CudnnGraph Alpha(CudnnGraph graph)
    {
        int scale = Places(graph, CudnnDescriptorType.Tensor).First(p => First(graph, p, TensorUniqueId) == (long)CudnnOperand.Scale);
        int operation = Places(graph, CudnnDescriptorType.OperationPointwise)
            .First(p => graph.Descriptors[p].Attributes.OfType<CudnnAttribute.References>().Any(r => r.Descriptors.Contains(scale)));
        return At(graph, operation, OperationPointwiseAlpha2, a => ((CudnnAttribute.Reals)a) with { Values = [8] });
    }

    /// <summary>What is seen by key keeps the strides of what is seen by query.</summary>
    private static CudnnGraph Reshaped(CudnnGraph graph)
    {
        int[] reshapes = [.. Places(graph, CudnnDescriptorType.OperationReshape)];
        return reshapes.Length == 0
            ? graph
            : At(graph, Reference(graph, reshapes[0], OperationReshapeY), TensorStrides, a => ((CudnnAttribute.Integers)a) with
            {
                Values = [4 * 24 * 40, 24 * 40, 24, 1],
            });
    }

    private static CudnnGraph Shares(CudnnGraph graph)
    {
        int product = Places(graph, CudnnDescriptorType.OperationMatmul).Last();
        return At(graph, Reference(graph, product, OperationMatmulA), TensorDataType, a => Changed(a, 0, _ => (long)CudnnDataType.Float));
    }

    private static int Reference(CudnnGraph graph, int place, CudnnAttributeName name) =>
        ((CudnnAttribute.References)graph.Descriptors[place].Attributes.First(a => a.Name == name)).Descriptors[0];

    private static IEnumerable<int> Places(CudnnGraph graph, CudnnDescriptorType type) =>
        Enumerable.Range(0, graph.Descriptors.Length).Where(p => graph.Descriptors[p].Type == type);

    private static long First(CudnnGraph graph, int place, CudnnAttributeName name) =>
        ((CudnnAttribute.Integers)graph.Descriptors[place].Attributes.First(a => a.Name == name)).Values[0];
}
