using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cpu.Tests;

/// <summary>Every tensor that a backward recomputes has the very bits that the forward had.</summary>
[Trait("Slow", "true")]
public class RecomputeTests
{
    public static TheoryData<string, string, int, int> Cases => new()
    {
        { "llama-small", "fp32", 64, 2 }, { "qwen3-small", "bf16", 48, 4 }, { "llama-long", "fp32", 256, 4 },
        { "llama-documents", "bf16", 48, 8 }, { "qwen3-hd128", "fp32", 320, 1 }, { "llama-hd64", "bf16", 64, 3 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Recomputed_tensors_equal_the_forward_bit_for_bit(string name, string dtype, int chunk, int chunksPerRound)
    {
        var golden = new GoldenCase(name);
        var compared = new HashSet<TensorName>();
        foreach (var saved in Enumerable.Range(0, (int)SaveSet.All + 1).Select(s => (SaveSet)s))
        {
            var request = golden.Request(
                Recipe.All.Single(r => r.Name == dtype),
                WorkloadKind.Gradients,
                pins: new GeometryPins(chunk, chunksPerRound),
                saved: saved
            );
            compared.UnionWith(Compare(golden, GoldenCase.Tight(request)));
            if (LayerPrograms.MayStream(saved) && GoldenCase.Plan(request).Workload is { Geometry.ChunksPerGroup: > 1 } workload)
            {
                var programs = new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry);
                Compare(
                    golden,
                    Planner.PlanFor(workload, new ResidencyChain(new MemorySizes(workload, programs), saved, Tier.Bare, segments: 2)[0])
                );
            }
        }

        TensorName[] expected =
        [
            TensorName.Norm1,
            TensorName.Rstd1,
            TensorName.Qkv,
            TensorName.Query,
            TensorName.KvPiece,
            TensorName.AttentionOut,
            TensorName.Lse,
            TensorName.Residual,
            TensorName.Norm2,
            TensorName.Rstd2,
            TensorName.GateUp,
        ];
        Assert.Equal(expected, compared.Order());
    }

    private static HashSet<TensorName> Compare(GoldenCase golden, TrainingPlan plan)
    {
        var forward = new Dictionary<(Layer?, Chunk?, Round?, TensorName), byte[]>();
        var compared = new HashSet<TensorName>();
        using var device = new InterleavedCpuDevice(plan.Schedule, plan.Workload, threads: 1, seed: 1);
        device.CallCompleted = (op, call, operands) =>
        {
            bool repeats =
                op.Kind == OpKind.Recompute
                || (
                    op.Kind is OpKind.Backward or OpKind.CombineBackward && call.Kernel is Kernel.RmsNormForward or Kernel.QkNormRopeForward
                );
            foreach (var operand in call.Writes)
            {
                var key = (op.Layer, op.Chunk, op.Round, operand.Tensor);
                if (op.Kind is OpKind.Forward or OpKind.Project or OpKind.Combine)
                {
                    forward[key] = Bytes(operands, operand);
                }
                else if (repeats)
                {
                    Assert.Equal(forward[key], Bytes(operands, operand));
                    compared.Add(operand.Tensor);
                }
            }
        };
        golden.Trainer(plan, device).Step(golden.Tokens(), [.. Enumerable.Range(0, golden.Rows)], golden.AdamW);
        return compared;
    }

    private static unsafe byte[] Bytes(OpOperands operands, Operand operand) =>
        new ReadOnlySpan<byte>((void*)operands.Pointer(operand), checked((int)operands.SizeOf(operand).Value)).ToArray();
}
