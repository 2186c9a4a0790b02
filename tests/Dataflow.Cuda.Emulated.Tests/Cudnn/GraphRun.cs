using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.Cuda.Emulated.Tests.Cudnn;

/// <summary>Graphs of cuDNN on the emulated one, as they stand, and how far their results are from the definition.</summary>
internal sealed class GraphRun : IDisposable
{
    private readonly DeviceOperands operands = new();
    private readonly CudnnAttention asked;
    private readonly CudnnTarget target;
    private readonly CudnnHandle handle;
    private readonly (Tensor Tensor, double[] Values) query, keys, gradOutput, sink;
    private readonly Part[] parts;
    private readonly Dictionary<CudnnOperand, Tensor> tensors = [];

    /// <param name="asked">A forward; its backward is derived from it.</param>
    /// <param name="target">Release and GPU that the graphs are for.</param>
    /// <param name="parts">The sequences.</param>
    public GraphRun(CudnnAttention asked, CudnnTarget target, params Part[] parts)
    {
        (this.asked, this.target, this.parts) = (asked, target, parts);
        handle = CudnnHandle.Open(operands.Context);
        handle.Use(operands.Stream);
        int tokens = parts.Max(p => p.FirstQuery + p.Queries), rows = parts.Max(p => p.FirstKey + p.Keys);
        int width = asked.Heads * asked.HeadDim, kv = 2 * asked.KvHeads * asked.HeadDim;
        query = operands.Random(DType.BFloat16, tokens, width, 1);
        keys = operands.Random(DType.BFloat16, rows, kv, 2);
        gradOutput = operands.Random(DType.BFloat16, tokens, width, 3);
        sink = operands.Random(DType.Float32, 1, asked.Heads, 4);
        tensors[CudnnOperand.Query] = query.Tensor;
        tensors[CudnnOperand.Key] = keys.Tensor;
        tensors[CudnnOperand.Value] = keys.Tensor with { Address = keys.Tensor.Address + (nuint)kv };
        tensors[CudnnOperand.GradOutput] = gradOutput.Tensor;
        tensors[CudnnOperand.Sink] = sink.Tensor;
        tensors[CudnnOperand.Output] = operands.Room(DType.BFloat16, tokens, width);
        tensors[CudnnOperand.LogSumExp] = Row();
        tensors[CudnnOperand.RowProducts] = Row();
        tensors[CudnnOperand.GradQuery] = operands.Room(DType.BFloat16, tokens, width);
        tensors[CudnnOperand.GradQuerySums] = operands.Room(DType.Float32, asked.Batch * asked.Heads * asked.Queries, asked.HeadDim);
        tensors[CudnnOperand.GradKey] = operands.Room(DType.BFloat16, rows, kv);
        tensors[CudnnOperand.GradValue] = tensors[CudnnOperand.GradKey] with
        {
            Address = tensors[CudnnOperand.GradKey].Address + (nuint)kv,
        };
        tensors[CudnnOperand.GradSink] = operands.Room(DType.Float32, 1, asked.Heads);
        tensors[CudnnOperand.QueryLength] = operands.Words([.. parts.Select(p => p.Queries)]);
        tensors[CudnnOperand.KeyLength] = operands.Words([.. parts.Select(p => p.Keys)]);
        tensors[CudnnOperand.QueryOffsets] = operands.Words([.. parts.Select(p => p.FirstQuery * width), tokens * width]);
        tensors[CudnnOperand.KeyOffsets] = operands.Words([.. parts.Select(p => p.FirstKey * kv), rows * kv]);
    }

    /// <summary>Forward and backward; the largest of their relative errors.</summary>
    /// <param name="plant">Makes another graph of each, if faults are to be planted.</param>
    public double Error(Func<CudnnGraph, CudnnGraph>? plant = null)
    {
        var definition = new AttentionDefinition(asked, parts);
        definition.Compute(query.Values, keys.Values, gradOutput.Values, sink.Values);
        Run(asked, plant);
        List<double> errors =
        [
            Relative(operands.Read(tensors[CudnnOperand.Output]), definition.Output),
            Relative(LogSumExp(), [.. LogSumExp(definition)]),
        ];
        Run(asked with { Pass = CudnnPass.Backward }, plant);
        errors.Add(Relative(operands.Read(tensors[CudnnOperand.GradQuery]), definition.GradQuery));
        errors.Add(Relative(operands.Read(tensors[CudnnOperand.GradKey]), definition.GradKeyValue));
        if (asked.Sink)
        {
            // The graph leaves the derivative's minus sign to whoever adds it up.
            double[] got = operands.Read(tensors[CudnnOperand.GradSink]);
            errors.Add(Relative([.. got.Select(g => -g)], definition.GradSink));
        }

        return errors.Max(e => double.IsNaN(e) ? double.PositiveInfinity : e);
    }

    /// <summary>The bits of the fp32 gradient of queries, on the engine that was asked for or on that of the heuristics.</summary>
    public string WideGradient(bool keepsEngine)
    {
        var wide = asked with { Pass = CudnnPass.Backward, GradQueryType = DType.Float32 };
        tensors[CudnnOperand.GradQuery] = operands.Room(DType.Float32, query.Tensor.Rows, query.Tensor.Columns);
        Run(asked, null);
        Run(wide, graph => keepsEngine ? graph : graph with { Answer = graph.Answer with { Engine = null } });
        return string.Join(' ', operands.Read(tensors[CudnnOperand.GradQuery]).Select(v => BitConverter.SingleToInt32Bits((float)v)));
    }

    public void Dispose()
    {
        handle.Dispose();
        operands.Dispose();
    }

    private Tensor Row() => operands.Room(DType.Float32, asked.Batch * asked.Heads, asked.Queries);

    private void Run(CudnnAttention pass, Func<CudnnGraph, CudnnGraph>? plant)
    {
        var answer = CudnnRules.Answer(pass, target);
        var offered = Assert.IsType<CudnnAnswer.Offered>(answer, exactMatch: true);
        Assert.Equal(1, offered.Calls);
        var graph = CudnnAttentionGraph.Build(offered, target);
        using var plan = new CudnnPlan(handle, plant is null ? graph : plant(graph));
        if (pass.Documents is null && plant is null)
        {
            Assert.Equal(offered.Workspace, plan.Workspace);
        }

        var pointers = default(CudnnPointers);
        foreach (var operand in graph.Tensors)
        {
            pointers[operand] = tensors[operand].Address;
        }

        plan.Run(pointers, operands.Room(Bytes.Max(plan.Workspace, new Bytes(16))));
    }

    private double[] LogSumExp()
    {
        double[] all = operands.Read(tensors[CudnnOperand.LogSumExp]);
        return
        [
            .. from part in parts.Select((p, b) => (p.Queries, Batch: b))
               from head in Enumerable.Range(0, asked.Heads)
               from i in Enumerable.Range(0, part.Queries)
               select all[(((part.Batch * asked.Heads) + head) * asked.Queries) + i],
        ];
    }

    private IEnumerable<double> LogSumExp(AttentionDefinition definition) =>
        from part in parts
        from head in Enumerable.Range(0, asked.Heads)
        from i in Enumerable.Range(0, part.Queries)
        select definition.LogSumExp[(head, part.FirstQuery + i)];

    private static double Relative(double[] got, double[] want) =>
        Math.Sqrt(got.Zip(want, (g, w) => (g - w) * (g - w)).Sum() / want.Sum(w => w * w));
}
