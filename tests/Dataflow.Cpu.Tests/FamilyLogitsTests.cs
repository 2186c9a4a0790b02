using Dataflow.Conformance;
using Dataflow.Generation;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cpu.Tests;

/// <summary>The logits of each family's first row, as the head leaves them and the loss reads them: those of transformers.</summary>
public class FamilyLogitsTests
{
    public static TheoryData<string> Cases => [.. GoldenCase.Families];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Logits_are_those_of_transformers(string name)
    {
        var golden = GoldenCase.OfFamily(name);
        var plan = GoldenCase.Plan(golden.Request(Recipe.Fp32, WorkloadKind.Gradients));
        var model = golden.Model;
        float[] logits = new float[golden.Seqlen * model.VocabSize];
        var written = new Dictionary<(Chunk?, Round?), int>();
        using var device = new InterleavedCpuDevice(plan.Schedule, plan.Workload, threads: 2, seed: 1);
        device.CallCompleted = (op, call, operands) =>
        {
            if (call is GemmForwardCall { C.Tensor: TensorName.Logits } product && op.Round == new Round(0))
            {
                // Sub-chunks of a chunk come in order.
                int first = written.GetValueOrDefault((op.Chunk, op.Round));
                written[(op.Chunk, op.Round)] = first + operands.Tokens;
                Take(operands.Tensor(product.C), (op.Chunk!.Value.Index * plan.Workload.Geometry.ChunkTokens) + first, logits);
            }
        };
        golden.Trainer(plan, device).Step(golden.Tokens(), golden.AllRows, golden.AdamW);

        double scale = model.LogitScale;
        float[] got = [.. logits.Select(x => (float)(model.LogitSoftcap is { } cap ? cap * Math.Tanh(scale * x / cap) : scale * x))];
        float[] want = golden.File("logits.safetensors")["logits"];
        Assert.Equal(want.Length, got.Length);
        double error = GoldenCase.RelativeL2(got, want);
        Assert.True(error <= 1e-5, $"relative error {error:g3}");
        float largest = want.Max(Math.Abs);
        for (int i = 0; i < want.Length; i++)
        {
            Assert.True(Math.Abs(got[i] - want[i]) <= 1e-5 * largest, $"element {i} is {got[i]}, not {want[i]}");
        }
    }

    /// <summary>A prompt's logits are, to the bit, those of training's forward in the same chunks.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Logits_of_a_prompt_are_those_of_training(string name)
    {
        const int chunk = 32;
        var golden = GoldenCase.OfFamily(name);
        var model = golden.Model;
        var plan = GoldenCase.Plan(golden.Request(Recipe.Fp32, WorkloadKind.Gradients, pins: new GeometryPins(chunk)));
        float[] trained = new float[golden.Seqlen * model.VocabSize];
        using (var device = new InterleavedCpuDevice(plan.Schedule, plan.Workload, threads: 2, seed: 1))
        {
            device.CallCompleted = (op, call, operands) =>
            {
                if (call is GemmForwardCall { C.Tensor: TensorName.Logits } product && op.Round == new Round(0))
                {
                    Take(operands.Tensor(product.C), op.Chunk!.Value.Index * chunk, trained);
                }
            };
            golden.Trainer(plan, device).Step(new Whole(golden.Row(0), golden.Rows), golden.AllRows, golden.AdamW);
        }

        var request = new PlanRequest(
            model, Recipe.Fp32, WorkloadKind.Generation, chunk, Rows: null, new GeometryPins(chunk), GoldenCase.Roomy)
        {
            Cache = new CacheRequest(1, golden.Seqlen, chunk),
        };
        var continued = GoldenCase.Plan(request);
        using var cpu = new InterleavedCpuDevice(continued.Schedule, continued.Workload, threads: 2, seed: 2);
        using var checkpoint = Training.Checkpoint.Open(golden.Folder);
        var cached = new CachedModel(continued.Workload, continued.Schedule, cpu);
        cached.Load(checkpoint.WeightsOf(model));
        var sequence = cached.Open(golden.Seqlen)!;
        float[] got = new float[trained.Length];
        cached.Continue(
            [new Continuation(sequence, golden.Row(0), golden.Seqlen)],
            (_, token, logits) => logits.CopyTo(got.AsSpan(token * model.VocabSize)));
        float scale = (float)model.LogitScale, cap = (float)(model.LogitSoftcap ?? 0);
        Assert.Equal([.. trained.Select(x => cap == 0 ? scale * x : cap * MathF.Tanh(scale * x / cap))], got);
    }

    /// <summary>The same row again and again, one document each.</summary>
    private sealed class Whole(int[] row, int rows) : Training.ITokenSource
    {
        public int RowCount => rows;

        public int RowLength => row.Length + 1;

        public void Read(int index, Span<int> destination)
        {
            row.CopyTo(destination);
            destination[row.Length] = row[0];
        }

        public IReadOnlyList<int>? Documents(int index) => null;
    }

    /// <summary>Those rows of logits that are the first row's.</summary>
    private static unsafe void Take(Tensor rows, int firstToken, float[] logits)
    {
        int from = firstToken * rows.Columns, count = Math.Min(rows.Rows * rows.Columns, logits.Length - from);
        if (count > 0)
        {
            new ReadOnlySpan<float>((float*)rows.Address, count).CopyTo(logits.AsSpan(from));
        }
    }
}
