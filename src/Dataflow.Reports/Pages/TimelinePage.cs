using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Reports.Pages;

/// <summary>A step to show: one of the timelines of a page.</summary>
/// <param name="Name">"predicted for h100-sxm", "step 2, measured on cpu".</param>
/// <param name="Source">Whether it was simulated or measured.</param>
/// <param name="Timeline">When each op ran.</param>
public sealed record ShownStep(string Name, ResultSource Source, Timeline Timeline);

/// <summary>
/// A step as one page of HTML for a browser, with nothing to fetch: streams as lanes, waits as arrows, stalls with what they waited for,
/// memory of all arenas; several timelines of one schedule one below the other, on one axis. Its text is a function of its arguments
/// alone.
/// </summary>
public static class TimelinePage
{
    /// <summary>The page.</summary>
    /// <param name="title">Heads the page: model, machine and budgets.</param>
    /// <param name="schedule">The step that all timelines are of.</param>
    /// <param name="steps">At least one; all of this schedule.</param>
    /// <exception cref="ArgumentException">There is no step, or one of another schedule.</exception>
    public static string Of(string title, Schedule schedule, params ImmutableArray<ShownStep> steps)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        if (steps.IsDefaultOrEmpty || steps.Any(s => s.Timeline.Ops.Length != schedule.Ops.Length))
        {
            throw new ArgumentException(
                $"a page shows steps of one schedule: each with {schedule.Ops.Length} ops, and at least one",
                nameof(steps)
            );
        }

        return WebText.Page(
            "timeline", title, WebText.Load("page.css", "timeline.css"), Data(title, schedule, steps),
            WebText.Load("format.js", "unpack.js", "timeline-data.js", "timeline-draw.js", "timeline.js"), module: true);
    }

    private static string Data(string title, Schedule schedule, ImmutableArray<ShownStep> steps) => WebText.Packed(json =>
    {
        json.WriteString("title", title);
        Strings(json, "facts", schedule.Facts.Select(f => $"{f.Key.Replace('_', ' ')} {Grouped(f.Value)}"));
        Strings(json, "streams", schedule.Streams.Select(ShownNames.OfStream));
        Awaited(json, schedule);
        Strings(json, "kinds", Enum.GetNames<OpKind>());
        Strings(json, "arenas", schedule.Arenas.Select(a => a.Name));
        Numbers(json, "lengths", schedule.Arenas.Select(a => a.Length.Value));
        Ops(json, schedule);
        json.WriteStartArray("steps");
        foreach (var step in steps)
        {
            Step(json, schedule, step);
        }

        json.WriteEndArray();
    });

    /// <summary>"8192" as "8,192"; anything but a whole number stays as it is.</summary>
    private static string Grouped(string value) =>
        long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number.ToString("N0", CultureInfo.InvariantCulture)
            : value;

    /// <summary>
    /// What is said of a stream that waits for a copy, by the beginning of the copy's name: "Fetch W" is "parameters to come".
    /// </summary>
    private static void Awaited(Utf8JsonWriter json, Schedule schedule)
    {
        json.WriteStartObject("awaited");
        foreach (
            var (kind, first) in schedule
                .Ops.Where(o => o.Kind is OpKind.Fetch or OpKind.Save)
                .Select(o => (o.Kind, ObjectFamily.PrefixOf(schedule.Objects[o.Accesses[0].Object].Name).ToString()))
                .Distinct()
        )
        {
            json.WriteString($"{kind} {first}", ShownNames.Awaited(kind, ShownNames.KindOf(first)));
        }

        json.WriteEndObject();
    }

    private static void Ops(Utf8JsonWriter json, Schedule schedule)
    {
        // One string: a name takes no quotes. Kinds stand at each name's beginning and are not said twice.
        json.WriteString(
            "names",
            string.Join('\n', schedule.Ops.Select((op, i) => TimelineTrace.NameOf(schedule, i)[op.Kind.ToString().Length..].TrimStart()))
        );
        Numbers(json, "kind", schedule.Ops.Select(o => (long)o.Kind));
        Numbers(json, "stream", schedule.Ops.Select(o => (long)o.Stream));
        Numbers(json, "bytes", schedule.Ops.Select(o => o.Kind is OpKind.Fetch or OpKind.Save ? o.Accesses[0].Length.Value : 0));
        json.WriteStartArray("waits");
        for (int i = 0; i < schedule.Ops.Length; i++)
        {
            json.WriteStartArray();
            foreach (var wait in schedule.Ops[i].Waits.AsSpan())
            {
                json.WriteNumberValue(Relative(i, wait));
            }

            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    private static void Step(Utf8JsonWriter json, Schedule schedule, ShownStep step)
    {
        var ops = step.Timeline.Ops;
        json.WriteStartObject();
        json.WriteString("name", step.Name);
        json.WriteString("source", step.Source.ToString());
        json.WriteNumber("length", step.Timeline.StepNanoseconds);
        Numbers(json, "start", ops.Select((o, i) => o.Start - (i > 0 ? ops[i - 1].Start : 0)));
        Numbers(json, "duration", ops.Select(o => o.Duration));
        Numbers(json, "stall", ops.Select(o => o.Stall));
        Numbers(json, "awaited", ops.Select((o, i) => o.Awaited.Op < 0 ? 0 : Relative(i, o.Awaited)));
        json.WriteStartArray("memory");
        for (int arena = 0; arena < schedule.Arenas.Length; arena++)
        {
            Numbers(json, null, Use(schedule, step.Timeline, arena));
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>How many ops before, of this step; less than zero is an op of the step before: -1 its first.</summary>
    private static long Relative(int op, Wait wait) => wait.Distance == 0 ? op - wait.Op : -1 - wait.Op;

    /// <summary>Pairs of nanoseconds and bytes in use, each as the difference from the pair before.</summary>
    private static IEnumerable<long> Use(Schedule schedule, Timeline timeline, int arena)
    {
        long last = 0;
        foreach (var together in ArenaUse.Changes(schedule, timeline, arena).GroupBy(c => c.Nanoseconds))
        {
            long change = together.Sum(c => c.Change.Value);
            if (change != 0)
            {
                yield return together.Key - last;
                yield return change;
                last = together.Key;
            }
        }
    }

    private static void Strings(Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }

    private static void Numbers(Utf8JsonWriter json, string? name, IEnumerable<long> values)
    {
        if (name is not null)
        {
            json.WritePropertyName(name);
        }

        json.WriteStartArray();
        foreach (long value in values)
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
    }
}
