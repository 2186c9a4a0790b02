using System.Collections.Immutable;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Schedules;

/// <summary>A step of a run: its number, its timeline, and when the timeline's zero was.</summary>
public readonly record struct TracedStep(int Number, Timeline Timeline, long StartNanoseconds);

/// <summary>Steps of one schedule that were simulated, or measured.</summary>
/// <param name="Name">What the trace calls it: "measured on cpu, 2 threads", "predicted for h100-sxm".</param>
/// <param name="Schedule">What ran in each step.</param>
/// <param name="Steps">The steps that are shown.</param>
public sealed record TracedRun(string Name, Schedule Schedule, ImmutableArray<TracedStep> Steps);

/// <summary>
/// Timelines as a trace that Perfetto and Chrome show (the trace event format, as JSON): a process for each run, in it a lane for steps,
/// a lane for each stream, and a curve for each arena. The same for simulated and measured timelines, so that one file can hold both.
/// </summary>
public static class TimelineTrace
{
    private const int StepLane = 1;
    private const int FirstStreamLane = 2;

    /// <summary>Writes the trace; the earliest op is at time 0.</summary>
    public static void Write(Stream output, params ImmutableArray<TracedRun> runs)
    {
        ArgumentNullException.ThrowIfNull(output);
        long origin = runs.SelectMany(r => r.Steps).Select(FirstStart).DefaultIfEmpty(0).Min();

        // Names of objects have slashes and op names spaces; nothing of it ends up in a page.
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("displayTimeUnit", "ns");
        json.WriteStartArray("traceEvents");
        for (int r = 0; r < runs.Length; r++)
        {
            new RunWriter(json, runs[r], r + 1, origin).Write();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>
    /// An op by kind and object where it is about one ("Fetch W/L05", "Update W/head piece=1"), else as the schedule prints it ("Forward
    /// L00 C2 R0").
    /// </summary>
    public static string NameOf(Schedule schedule, int index)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        var op = schedule.Ops[index];
        return op.Kind is OpKind.Fetch or OpKind.Save or OpKind.Update or OpKind.Norm or OpKind.Zero
            ? $"{op.Kind} {schedule.Objects[ObjectOf(op)].Name}" + (op.Piece > 0 ? $" piece={op.Piece}" : "")
            : ScheduleText.NameOf(schedule, index).Split(' ', 3)[2];
    }

    private static int ObjectOf(ScheduledOp op) => op.Accesses.FirstOrDefault(a => a.Role == Roles.Weights, op.Accesses[0]).Object;

    private static long FirstStart(TracedStep step) =>
        step.StartNanoseconds + Math.Min(0, step.Timeline.Ops.Select(o => o.Start - o.Stall).DefaultIfEmpty(0).Min());

    private sealed class RunWriter(Utf8JsonWriter json, TracedRun run, int process, long origin)
    {
        private readonly Schedule schedule = run.Schedule;

        public void Write()
        {
            Name("process_name", 0, run.Name);
            Lane(StepLane, "steps");
            for (int s = 0; s < schedule.Streams.Length; s++)
            {
                Lane(FirstStreamLane + s, schedule.Streams[s]);
            }

            foreach (var step in run.Steps)
            {
                Begin("X", $"step {step.Number}", StepLane, step.StartNanoseconds);
                Duration(step.Timeline.StepNanoseconds);
                json.WriteEndObject();
                for (int i = 0; i < schedule.Ops.Length; i++)
                {
                    Op(step, i);
                }
            }

            for (int a = 0; a < schedule.Arenas.Length; a++)
            {
                Use(a);
            }
        }

        private void Op(TracedStep step, int index)
        {
            var (op, time) = (schedule.Ops[index], step.Timeline.Ops[index]);
            long start = step.StartNanoseconds + time.Start;
            if (time.Stall > 0)
            {
                Stall(op, time, start);
            }

            Begin("X", NameOf(index), FirstStreamLane + op.Stream, start);
            Duration(time.Duration);
            json.WriteString("cat", op.Kind.ToString());
            json.WriteStartObject("args");
            json.WriteNumber("op", index);
            json.WriteNumber("step", step.Number);
            if (IsCopy(op))
            {
                long bytes = op.Accesses[0].Length.Value;
                json.WriteNumber("bytes", bytes);
                json.WriteNumber("GB/s", time.Duration > 0 ? Math.Round((double)bytes / time.Duration, 3) : 0);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        /// <summary>The time that the op's stream was idle, by what it waited for.</summary>
        private void Stall(ScheduledOp op, OpTime time, long start)
        {
            var awaited = time.Awaited;
            Begin("X", awaited.Op < 0 ? "idle" : $"waits for {NameOf(awaited.Op)}", FirstStreamLane + op.Stream, start - time.Stall);
            Duration(time.Stall);
            json.WriteString("cat", "stall");
            if (awaited.Op >= 0)
            {
                json.WriteStartObject("args");
                json.WriteNumber("awaited op", awaited.Op);
                json.WriteString("of", awaited.Distance == 0 ? "this step" : "the step before");
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        private void Use(int arena)
        {
            var changes = run
                .Steps.SelectMany(s =>
                    ArenaUse.Changes(schedule, s.Timeline, arena).Select(c => c with { Nanoseconds = c.Nanoseconds + s.StartNanoseconds })
                )
                .OrderBy(c => c.Nanoseconds);
            long inUse = 0;
            foreach (var together in changes.GroupBy(c => c.Nanoseconds))
            {
                long sum = together.Sum(c => c.Change.Value);
                if (sum == 0)
                {
                    continue;
                }

                inUse += sum;
                Begin("C", $"{schedule.Arenas[arena].Name} memory in use", 0, together.Key);
                json.WriteStartObject("args");
                json.WriteNumber("bytes", inUse);
                json.WriteEndObject();
                json.WriteEndObject();
            }
        }

        private string NameOf(int index) => TimelineTrace.NameOf(schedule, index);

        private static bool IsCopy(ScheduledOp op) => op.Kind is OpKind.Fetch or OpKind.Save;

        private void Lane(int lane, string name)
        {
            Name("thread_name", lane, name);
            Begin("M", "thread_sort_index", lane, null);
            json.WriteStartObject("args");
            json.WriteNumber("sort_index", lane);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        private void Name(string what, int lane, string name)
        {
            Begin("M", what, lane, null);
            json.WriteStartObject("args");
            json.WriteString("name", name);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        private void Begin(string phase, string name, int lane, long? nanoseconds)
        {
            json.WriteStartObject();
            json.WriteString("ph", phase);
            json.WriteString("name", name);
            json.WriteNumber("pid", process);
            json.WriteNumber("tid", lane);
            if (nanoseconds is { } time)
            {
                Microseconds("ts", time - origin);
            }
        }

        private void Duration(long nanoseconds) => Microseconds("dur", nanoseconds);

        // The format counts in microseconds; three decimals keep every nanosecond.
        private void Microseconds(string key, long nanoseconds)
        {
            json.WritePropertyName(key);
            json.WriteRawValue(string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1000m:0.###}"), skipInputValidation: true);
        }
    }
}
