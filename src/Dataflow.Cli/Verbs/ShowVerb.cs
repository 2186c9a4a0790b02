using System.CommandLine;
using System.Globalization;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;

namespace Dataflow.Cli;

/// <summary>dataflow show: a plan's parts in full, or a slice of its schedule.</summary>
internal static class ShowVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow show models/nano.json --seqlen 128 --device-memory 8MiB --host-memory 64MiB --schedule > schedule.txt",
        "dataflow show models/nano.json --seqlen 128 --device-memory 8MiB --host-memory 64MiB --layer 2 --chunk-index 0",
    ];

    private const int FirstOps = 20;

    private sealed record Wanted(bool Sizing, bool Residency, bool Schedule, bool Memory, bool OverTime, int? Layer, int? Chunk, Range? Ops)
    {
        public bool Slice => Layer is not null || Chunk is not null || Ops is not null;

        public bool Anything => Sizing || Residency || Schedule || Memory || OverTime || Slice;
    }

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "show",
            "Prints a plan's sizing, residency, memory map and schedule; without a choice, the first two and the first ops."
        );
        var options = new RequestFlags();
        var (sizing, residency) = (
            Declare.Flag("--sizing", "slots of each pool on the device"),
            Declare.Flag("--residency", "what stays, what travels, what is kept and recomputed")
        );
        var (schedule, memory) = (
            Declare.Flag("--schedule", "the schedule; in full it is what verify reads"),
            Declare.Flag("--memory", "every slot with its place in its arena")
        );
        var overTime = Declare.Flag("--over-time", "what is alive on the device in the course of the step");
        var layer = Declare.Option("--layer", "N", "only ops of that layer", Values.OptionalCount(0, int.MaxValue));
        var chunk = Declare.Option("--chunk-index", "N", "only ops of that chunk", Values.OptionalCount(0, int.MaxValue));
        var ops = Declare.Option<Range?>("--ops", "A..B", "only ops A to B, both included", t => OpRange(t));
        options.AddTo(command);
        Option[] own = [sizing, residency, schedule, memory, overTime, layer, chunk, ops];
        foreach (var option in own)
        {
            command.Options.Add(option);
        }

        command.SetAction(given =>
        {
            var parsed = options.Complete(given);
            var (question, _) = options.Bind(parsed);
            return (int)Execute(
                question,
                new Wanted(
                    parsed.GetValue(sizing),
                    parsed.GetValue(residency),
                    parsed.GetValue(schedule),
                    parsed.GetValue(memory),
                    parsed.GetValue(overTime),
                    parsed.GetValue(layer),
                    parsed.GetValue(chunk),
                    parsed.GetValue(ops)
                )
            );
        });
        return command;
    }

    private static ExitCode Execute(PlanQuestion question, Wanted wanted)
    {
        var plan = Plans.Require(Plans.Make(question));
        var output = Console.Out;
        if (wanted.Sizing || !wanted.Anything)
        {
            WriteSizing(output, plan);
        }

        if (wanted.Residency || !wanted.Anything)
        {
            PlanReport.WriteResidency(output, plan);
            PlanReport.WriteTraffic(output, plan);
        }

        if (wanted.Memory)
        {
            WriteMemory(output, plan.Schedule);
        }

        if (wanted.OverTime)
        {
            new Occupancy(plan.Schedule).WriteTo(output, PointsOverTime);
        }

        if (wanted is { Schedule: true, Slice: false })
        {
            ScheduleText.Print(plan.Schedule, output);
        }
        else if (wanted.Slice || !wanted.Anything)
        {
            WriteOps(output, plan.Schedule, wanted.Slice ? wanted : wanted with { Ops = 0..FirstOps });
        }

        return ExitCode.Ok;
    }

    private const int PointsOverTime = 32;

    private static void WriteSizing(TextWriter output, TrainingPlan plan)
    {
        PlanReport.WriteGeometry(output, plan);
        output.WriteLine($"Sizing: {PlanReport.Peaks(plan)}");
        var table = new TextTable("pool", "slots", "bytes of a slot", "bytes", "");
        foreach (var pool in plan.Pools)
        {
            table.Add(pool.Name, $"{pool.SlotCount:N0}", $"{pool.SlotLength.Value:N0}", $"{pool.Total.Value:N0}", pool.Total.ToString());
        }

        table.Add("all", "", "", $"{plan.DevicePeak.Value:N0}", plan.DevicePeak.ToString());
        table.WriteTo(output);
    }

    private static void WriteMemory(TextWriter output, Schedule schedule)
    {
        for (int a = 0; a < schedule.Arenas.Length; a++)
        {
            output.WriteLine($"Memory of the {schedule.Arenas[a].Name}: {schedule.Arenas[a].Length.Value:N0} bytes");
            var table = new TextTable("slot", "from", "bytes");
            foreach (var slot in schedule.Slots.Where(s => s.Arena == a).OrderBy(s => s.Offset))
            {
                table.Add(slot.Name, $"{slot.Offset.Value:N0}", $"{slot.Length.Value:N0}");
            }

            table.WriteTo(output);
        }
    }

    /// <summary>The lines of the schedule's text that are wanted; ops are its last lines, in order.</summary>
    private static void WriteOps(TextWriter output, Schedule schedule, Wanted wanted)
    {
        var (first, last) = wanted.Ops is { } range ? (range.Start.Value, range.End.Value) : (0, schedule.Ops.Length);
        int shown = 0, index = 0;
        foreach (string line in ScheduleText.Print(schedule).Split('\n').Where(l => l.StartsWith("op ", StringComparison.Ordinal)))
        {
            var op = schedule.Ops[index];
            bool chosen = index >= first && index < last
                && (wanted.Layer is null || op.Layer?.Index == wanted.Layer) && (wanted.Chunk is null || op.Chunk?.Index == wanted.Chunk);
            if (chosen)
            {
                output.WriteLine(line);
                shown++;
            }

            index++;
        }

        output.WriteLine($"{shown:N0} of {schedule.Ops.Length:N0} ops");
    }

    private static Range OpRange(string text)
    {
        string[] ends = text.Split("..");
        return ends.Length == 2
            && int.TryParse(ends[0], NumberStyles.None, CultureInfo.InvariantCulture, out int first)
            && int.TryParse(ends[1], NumberStyles.None, CultureInfo.InvariantCulture, out int last)
            && first <= last && last < int.MaxValue
                ? new Range(first, last + 1)
                : throw new UserErrorException($"'{text}' is no range of ops; write A..B, for example 0..20");
    }
}
