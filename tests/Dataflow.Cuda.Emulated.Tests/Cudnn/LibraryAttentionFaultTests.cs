using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;
using Dataflow.Schedules;

namespace Dataflow.Cuda.Emulated.Tests.Cudnn;

/// <summary>
/// Faults around attention by cuDNN in a step: what is merged, added up and waited for. The driver says it, or the result is another.
/// </summary>
[Trait("Slow", "true")]
public sealed class LibraryAttentionFaultTests
{
    private static readonly PlanRequest s_request = AttentionVariants.Request("grouped", 128, new EmulatedDevices().Cudnn) with
    {
        SaveSet = SaveSet.Kv | SaveSet.Attention,
    };

    private static readonly TrainingPlan s_streamed = GoldenCase.Tight(s_request);
    private static readonly TrainingPlan s_whole = GoldenCase.Plan(s_request);

    private static readonly Lazy<byte[]> s_rightStreamed = new(() => Right(s_streamed));
    private static readonly Lazy<byte[]> s_rightWhole = new(() => Right(s_whole));

    private static Dictionary<string, (string Kernel, bool Streamed, Func<PassedArguments, bool> Change)> Faults { get; } =
        new()
        {
            ["outputs that are not merged"] = (nameof(IKernels.AttentionSegmentForward), true, Set("Continues", _ => false)),
            ["a part of the query's gradient forgotten"] = (nameof(IKernels.AttentionSegmentBackward), true, Set("Continues", _ => false)),
            ["gradients of keys overwritten"] = (nameof(IKernels.AttentionSegmentBackward), true, Set("Accumulate", _ => false)),
            ["earlier keys taken for own ones"] = (nameof(IKernels.AttentionSegmentForward), true, Set("At", Row(-128))),
            ["merged outputs that are not rounded"] = (nameof(IKernels.AttentionNormalize), true, _ => false),
            ["sums that are not rounded"] = (nameof(IKernels.AttentionRounding), true, _ => false),
            ["own keys alone"] = (nameof(IKernels.AttentionForward), false, Set("At", Row(-128))),
            ["another head's logsumexp"] = (nameof(IKernels.AttentionBackward), false, Set("Lse", a => (nuint)a! + 512)),
            ["memory before the workspace"] = (nameof(IKernels.AttentionBackward), false, Set("Workspace", a => (nuint)a! - 256)),
            ["memory behind the workspace"] = (nameof(IKernels.AttentionForward), false, Set("Workspace", a => (nuint)a! + 65536)),
            ["sums begun with what was there"] = (nameof(IKernels.AttentionBackward), false, Set("Accumulate", _ => true)),
            ["queries eight elements off"] = (nameof(IKernels.AttentionForward), false, Set("Query", Moved)),
        };

    public static TheoryData<string> Names => [.. Faults.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_fault_is_found(string name)
    {
        var (kernel, streamed, change) = Faults[name];
        var plan = streamed ? s_streamed : s_whole;
        Assert.Equal(streamed, plan.Schedule.Ops.Any(o => o.Kind == OpKind.Attend));
        bool planted = false;
        string? said = Run(plan, plan.Schedule, out byte[] got, PlantedFault.In(kernel, arguments =>
        {
            planted = true;
            return change(arguments);
        }));
        Assert.True(planted, $"{kernel} is not called");
        Assert.True(said is not null || !got.AsSpan().SequenceEqual(Right(streamed)), "nothing is found, and the result is right");
    }

    /// <summary>A segment of keys that is attended to before it has come, or replaced before it was.</summary>
    [Fact]
    public void A_wait_that_an_attention_needs_is_missed()
    {
        var schedule = s_streamed.Schedule;
        int deleted = 0;
        for (int op = 0; op < schedule.Ops.Length && deleted < 3; op++)
        {
            var waits = schedule.Ops[op].Waits;
            if (schedule.Ops[op].Kind is not (OpKind.Attend or OpKind.AttendBackward) || waits.IsEmpty)
            {
                continue;
            }

            deleted++;
            var broken = schedule with { Ops = schedule.Ops.SetItem(op, schedule.Ops[op] with { Waits = waits.RemoveAt(0) }) };
            Assert.NotEmpty(ScheduleVerifier.Verify(broken));
            Assert.NotNull(Run(s_streamed, broken, out _));
        }

        Assert.Equal(3, deleted);
    }

    private static byte[] Right(bool streamed) => (streamed ? s_rightStreamed : s_rightWhole).Value;

    private static byte[] Right(TrainingPlan plan)
    {
        Assert.Null(Run(plan, plan.Schedule, out byte[] right));
        return right;
    }

    private static Func<PassedArguments, bool> Set(string name, Func<object?, object?> change) => arguments =>
    {
        arguments[name] = change(arguments[name]);
        return true;
    };

    private static Func<object?, object?> Row(int by) => at => (ChunkContext)at! is var context && context.Row >= -by
        ? context with { Row = context.Row + by }
        : at;

    private static object? Moved(object? query) => PlantedFault.Moved(query, 16);

    private static string? Run(TrainingPlan plan, Schedule schedule, out byte[] bits, Func<IKernels, IKernels>? fault = null)
    {
        var (context, images) = (CudaContext.Open(EmulatedDriver.Gpu), KernelImages.Emulated(EmulatedDriver.Folder));
        bits = [];
        try
        {
            var (loss, tensors) = AttentionVariants.Gradients(
                plan with { Schedule = schedule },
                fault is null ? new CudaDevice(schedule, plan.Workload, context, images)
                    : new CudaDevice(schedule, plan.Workload, context, images, fault)
            );
            bits =
            [
                .. BitConverter.GetBytes(loss),
                .. tensors.OrderBy(t => t.Key, StringComparer.Ordinal).SelectMany(t => t.Value.SelectMany(BitConverter.GetBytes)),
            ];
            return null;
        }
        catch (Exception e) when (e is CudaException or UserErrorException or ArgumentException or InvalidOperationException)
        {
            CudaEmulation.ClearError();
            return e.Message;
        }
    }
}
