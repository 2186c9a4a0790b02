using Dataflow.Planning;
using Dataflow.Schedules;

namespace Dataflow.Tests.DocumentedCode;

/// <summary>What documentation shows of planning. It copies the regions, and each is run by <see cref="DocumentedCodeTests"/>.</summary>
internal static class Planning
{
    public static void WillItFit()
    {
        // <snippet will-it-fit>
        var options = new PlanOptions
        {
            Model = "1b",
            Seqlen = 4096,
            DeviceMemory = Values.Size("6GiB"),
            HostMemory = Values.Size("10GiB"),
            Device = DeviceOptions.Cpu, // nothing runs: the machine that is named below decides
        }.WithHardware("h100");

        switch (Plans.Make(options))
        {
            case PlanResult.Feasible { Plan: var plan }:
                double seconds = Prediction.For(plan, options.Hardware!).Seconds;
                double speed = plan.Workload.Geometry.TokensPerStep / seconds;
                Console.WriteLine($"{plan.DevicePeak} of device and {plan.HostPeak} of host memory, {speed:N0} tokens/s");
                break;
            case PlanResult.Infeasible none:
                Console.WriteLine($"give {none.SmallestDevice} of device or {none.SmallestHost} of host memory");
                Console.WriteLine($"or change: {string.Join(", or ", none.Changes)}");
                break;
        }
        // </snippet>
    }

    public static void Look(TrainingPlan plan)
    {
        // <snippet look-at-a-schedule>
        var schedule = plan.Schedule;
        Console.WriteLine($"plan {plan.Hash[..16]}: {schedule.Ops.Length} ops");
        foreach (var kind in schedule.Ops.GroupBy(op => op.Kind))
        {
            Console.WriteLine($"{kind.Key,-14} {kind.Count(),6}");
        }

        string text = ScheduleText.Print(schedule);
        Console.WriteLine(ScheduleText.Parse(text) == schedule);
        // </snippet>
    }

    public static void Timeline(TrainingPlan plan, PlanOptions options)
    {
        // <snippet timeline>
        var timeline = Prediction.For(plan, options.Hardware!).Timeline;
        for (int stream = 0; stream < plan.Schedule.Streams.Length; stream++)
        {
            double share = (double)timeline.Busy(plan.Schedule, stream) / timeline.StepNanoseconds;
            Console.WriteLine($"{plan.Schedule.Streams[stream],-10} busy {share:P1} of {timeline.StepNanoseconds / 1e9:0.000} s");
        }
        // </snippet>
    }
}
