using System.Globalization;
using System.Text.Json.Nodes;
using Dataflow.Cpu;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;
using Dataflow.Simulation;
using Dataflow.Training;

namespace Dataflow.Benchmarks;

/// <summary>Where a training step on this CPU goes: each kernel's share of the step, its rate, and what one thread could reach.</summary>
internal static class StepProfile
{
    private const int Steps = 5;
    private const long StreamsAhead = 1L << 50;
    private const double LeastShare = 0.002;

    /// <summary>The table; after <c>--filter</c>, of models whose names contain that text.</summary>
    public static Result Measure(List<string> options)
    {
        string wanted = KernelRateTable.Wanted(options);
        using var operands = Operands.WithTeam(1);
        var ceilings = new Ceilings(operands);
        var rows = new List<(string[], JsonObject)>();
        foreach (var peer in PeerCase.All().Where(p => p.Model.Name.Contains(wanted, StringComparison.Ordinal)))
        {
            foreach (var recipe in new[] { Recipe.Fp32, Recipe.Bf16 })
            {
                rows.AddRange(Profile(peer, recipe, ceilings));
                Console.Error.WriteLine($"{peer.Model.Name} {recipe.Name}");
            }
        }

        return new Result(
            "Where a training step on this CPU goes",
            $"Steps of rows of {PeerCase.Seqlen} tokens on one thread, timed by what the thread took of its processor. Of {Steps} steps "
                + "the one of least time, kernel by kernel; products by the weight that they are of. Memory for all to stay. GFLOP/s for "
                + "products and attention, GB/s for the others (each operand counted once a read and once a write; those in a cache may "
                + "pass memory's rate). Ceiling: fused multiply-adds of 512-bit vectors in registers, twice that in bf16, or a copy of "
                + "64 MiB; measured between steps, the best of all.",
            ["model", "type", "kernel", "calls", "ms", "share", "rate", "ceiling", "of ceiling"],
            rows);
    }

    private static IEnumerable<(string[], JsonObject)> Profile(PeerCase peer, Recipe recipe, Ceilings ceilings)
    {
        var plan = peer.Plan(recipe);
        using var device = new CpuDevice(plan.Schedule, plan.Workload, 1, StreamClock());
        var trainer = new Trainer(plan.Workload, plan.Schedule, device);
        trainer.Load(WeightInitialiser.Weights(peer.Model, 1));
        var tokens = new RandomTokens(peer.Rows, PeerCase.Seqlen, peer.Model.VocabSize);
        int[] numbers = [.. Enumerable.Range(0, peer.Rows)];
        trainer.Step(tokens, numbers, Optimizer.AdamW.Defaults);
        var programs = new BlockPrograms(peer.Model, recipe, plan.Workload.Geometry);
        List<Timed> best = [];
        for (int i = 0; i < Steps; i++)
        {
            ceilings.Measure();
            device.MeasureNextStep(StepDetail.Kernels);
            trainer.Step(tokens, numbers, Optimizer.AdamW.Defaults);
            List<Timed> now = [.. Kernels(plan, programs, device)];
            if (best.Count == 0 || now.Sum(t => t.Nanoseconds) < best.Sum(t => t.Nanoseconds))
            {
                best = now;
            }
        }

        double all = best.Sum(t => t.Nanoseconds);
        return
        [
            Row(peer, recipe, "all", best, all, ceilings),
            .. best.GroupBy(t => t.Name).OrderByDescending(g => g.Sum(t => t.Nanoseconds))
                .Where(g => g.Sum(t => t.Nanoseconds) >= LeastShare * all)
                .Select(g => Row(peer, recipe, g.Key, [.. g], all, ceilings)),
        ];
    }

    /// <summary>
    /// The clock of the thread that reads it. Those of streams are ahead of the caller's, which begins the step: a timeline has no time
    /// before its step.
    /// </summary>
    private static Func<long> StreamClock()
    {
        int caller = Environment.CurrentManagedThreadId;
        return () => ThreadClock.Now() + (Environment.CurrentManagedThreadId == caller ? 0 : StreamsAhead);
    }

    private static IEnumerable<Timed> Kernels(TrainingPlan plan, BlockPrograms programs, CpuDevice device)
    {
        var workload = plan.Workload;
        foreach (var time in device.MeasuredKernels())
        {
            var program = OpPrograms.Of(time.Op, programs, workload.Geometry)!;
            var segment = time.Op.Kind is OpKind.Attend or OpKind.AttendBackward ? time.Op.Segment : null;
            var work = KernelWork.Of(time.Call, program, workload.Model, workload.Geometry, time.Op.Chunk ?? new Chunk(0), segment);
            yield return new Timed(NameOf(time.Call), work.Flops, work.Bytes, time.Nanoseconds);
        }

        var works = new OpWork(workload);
        var ops = device.MeasuredStep().Ops;
        for (int i = 0; i < ops.Length; i++)
        {
            var op = plan.Schedule.Ops[i];
            if (op.Kind is OpKind.Update or OpKind.Norm or OpKind.Zero)
            {
                yield return new Timed($"{op.Kind}", 0, works.Of(op).Sum(r => r.Work.Bytes * r.Times), ops[i].Duration);
            }
        }
    }

    private static string NameOf(KernelCall call) => call switch
    {
        GemmForwardCall gemm => $"{call.Kernel} {gemm.B.Weight}",
        GemmInputGradientCall gemm => $"{call.Kernel} {gemm.B.Weight}",
        GemmWeightGradientCall gemm => $"{call.Kernel} {gemm.C.Weight}",
        _ => $"{call.Kernel}",
    };

    private static (string[], JsonObject) Row(
        PeerCase peer, Recipe recipe, string name, List<Timed> times, double all, Ceilings ceilings)
    {
        double nanoseconds = times.Sum(t => t.Nanoseconds), flops = times.Sum(t => t.Flops), bytes = times.Sum(t => t.Bytes);
        bool computes = flops > 0;
        double rate = (computes ? flops : bytes) / nanoseconds;
        double ceiling = !computes ? ceilings.Copied : recipe.Parameters == DType.Float32 ? ceilings.Flops : 2 * ceilings.Flops;
        string unit = computes ? "GFLOP/s" : "GB/s";
        string Text(double value) => value.ToString("0.0", CultureInfo.InvariantCulture);
        return (
            [
                peer.Model.Name, recipe.Name, name, $"{times.Count}", Text(nanoseconds / 1e6), $"{Text(100 * nanoseconds / all)}%",
                $"{Text(rate)} {unit}", Text(ceiling), $"{Text(100 * rate / ceiling)}%",
            ],
            new JsonObject
            {
                ["model"] = peer.Model.Name, ["recipe"] = recipe.Name, ["kernel"] = name, ["calls"] = times.Count,
                ["nanoseconds"] = nanoseconds, ["share"] = Math.Round(nanoseconds / all, 4), ["rate"] = Math.Round(rate, 2),
                ["unit"] = unit, ["ceiling"] = Math.Round(ceiling, 2),
            });
    }

    private readonly record struct Timed(string Name, double Flops, double Bytes, long Nanoseconds);
}
