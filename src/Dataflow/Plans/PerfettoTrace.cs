using System.Text.Json;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// A timeline in the trace event format that Perfetto and chrome://tracing read: a track a stream, a slice an op with what it waited for,
/// and as counters the bytes that live in the device's slots, by kind of object. Times are microseconds from the start of the step; what
/// began before is moved to that.
/// </summary>
public static class PerfettoTrace
{
    private const int CountersShown = 8;

    /// <summary>Writes the trace to a file.</summary>
    /// <exception cref="UserErrorException">The file cannot be written.</exception>
    public static void WriteTo(AtomicFile file, Schedule schedule, Timeline timeline)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            Write(json, schedule, timeline);
        }

        file.Write(text.GetBuffer().AsSpan(0, (int)text.Length));
        file.Commit();
    }

    private static void Write(Utf8JsonWriter json, Schedule schedule, Timeline timeline)
    {
        json.WriteStartObject();
        json.WriteString("displayTimeUnit", "ms");
        json.WriteStartArray("traceEvents");
        for (int s = 0; s < schedule.Streams.Length; s++)
        {
            Begin(json, "thread_name", "M", s);
            json.WriteStartObject("args");
            json.WriteString("name", schedule.Streams[s]);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        long origin = timeline.Ops.Length == 0 ? 0 : Math.Min(0, timeline.Ops.Min(o => o.Start));
        for (int i = 0; i < timeline.Ops.Length; i++)
        {
            WriteOp(json, schedule, i, timeline.Ops[i], origin);
        }

        WriteMemory(json, schedule, timeline, origin);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteOp(Utf8JsonWriter json, Schedule schedule, int index, OpTime time, long origin)
    {
        var op = schedule.Ops[index];
        Begin(json, ScheduleText.NameOf(schedule, index), "X", op.Stream);
        json.WriteNumber("ts", (time.Start - origin) / 1e3);
        json.WriteNumber("dur", time.Duration / 1e3);
        json.WriteStartObject("args");
        json.WriteNumber("op", index);
        if (op.Kind is OpKind.Fetch or OpKind.Save)
        {
            json.WriteString("object", schedule.Objects[op.Accesses[0].Object].Name);
            json.WriteNumber("bytes", op.Accesses[0].Length.Value);
        }

        if (time.Stall > 0)
        {
            json.WriteNumber("stall_us", time.Stall / 1e3);
            json.WriteString("awaited", time.Awaited.Op < 0 ? "nothing" : ScheduleText.NameOf(schedule, time.Awaited.Op));
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>Live bytes at the end of every compute op; the kinds that ever take most, one counter each.</summary>
    private static void WriteMemory(Utf8JsonWriter json, Schedule schedule, Timeline timeline, long origin)
    {
        var kinds = new Occupancy(schedule).ByKind.Take(CountersShown).ToList();
        for (int i = 0; i < timeline.Ops.Length; i++)
        {
            if (schedule.Ops[i].Stream != StepStreams.Compute)
            {
                continue;
            }

            Begin(json, "device bytes", "C", 0);
            json.WriteNumber("ts", (timeline.Ops[i].End - origin) / 1e3);
            json.WriteStartObject("args");
            foreach (var (kind, bytes) in kinds)
            {
                json.WriteNumber(kind, bytes[i]);
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }
    }

    private static void Begin(Utf8JsonWriter json, string name, string phase, int stream)
    {
        json.WriteStartObject();
        json.WriteString("name", name);
        json.WriteString("ph", phase);
        json.WriteNumber("pid", 1);
        json.WriteNumber("tid", stream);
    }
}
