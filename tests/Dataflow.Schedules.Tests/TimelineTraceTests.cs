using System.Text.Json;

namespace Dataflow.Schedules.Tests;

/// <summary>The trace of a step whose times were chosen by hand.</summary>
public class TimelineTraceTests
{
    // A weight comes in, is used, and what came of it goes home.
    private static readonly Schedule Streamed = ScheduleText.Parse("""
        schedule 1
        arena host 200
        arena device 100
        stream compute
        stream h2d
        stream d2h
        slot W.host host 0+40
        slot A.host host 40+40
        slot W.dev device 0+40
        slot A.dev device 40+20
        object W/L00 40
        object A/L00/C0/R0 20
        state W/L00@W.host
        output A/L00/C0/R0@A.host
        op 0 Fetch on h2d from=W/L00@W.host:r to=W/L00@W.dev:w after -1
        op 1 Forward L00 C0 R0 on compute w=W/L00@W.dev:r a=A/L00/C0/R0@A.dev:w after 0 -2
        op 2 Save on d2h from=A/L00/C0/R0@A.dev:r to=A/L00/C0/R0@A.host:w after 1
        end 3
        """);

    private static readonly Timeline Measured = new(
        [new(-500, 1500, 0, OpTime.Nothing), new(1500, 4001, 1500, new(0, 0)), new(4001, 5001, 4001, new(1, 0))], 5001);

    [Fact]
    public void Ops_are_slices_on_their_streams_lanes()
    {
        var events = Events(new TracedRun("measured", Streamed, [new TracedStep(7, Measured, 0)]));
        Assert.Equal(
            ["steps", "compute", "h2d", "d2h"],
            events.Where(e => Text(e, "name") == "thread_name").Select(e => e.GetProperty("args").GetProperty("name").GetString()!)
        );
        Assert.Equal("measured", events.Single(e => Text(e, "name") == "process_name").GetProperty("args").GetProperty("name").GetString());

        // The earliest op is at 0; ts and dur are microseconds.
        Assert.Equal((0.5, 5.001), Times(events, "step 7"));
        Assert.Equal((0, 2), Times(events, "Fetch W/L00"));
        Assert.Equal((2, 2.501), Times(events, "Forward L00 C0 R0"));
        Assert.Equal((4.501, 1), Times(events, "Save A/L00/C0/R0"));
        Assert.Equal(
            [2, 3, 4],
            new[] { "Forward L00 C0 R0", "Fetch W/L00", "Save A/L00/C0/R0" }.Select(n => Find(events, n).GetProperty("tid").GetInt32())
        );
    }

    [Fact]
    public void Copies_say_their_bytes_and_stalls_what_they_waited_for()
    {
        var events = Events(new TracedRun("measured", Streamed, [new TracedStep(7, Measured, 0)]));
        Assert.Equal((40, 0.02), (Argument(events, "Fetch W/L00", "bytes"), Argument(events, "Fetch W/L00", "GB/s")));
        Assert.Equal((0.5, 1.5), Times(events, "waits for Fetch W/L00"));
        Assert.Equal((0.5, 4.001), Times(events, "waits for Forward L00 C0 R0"));
        Assert.DoesNotContain(events, e => Text(e, "name") == "idle");
    }

    [Fact]
    public void Memory_in_use_is_what_lives_in_slots()
    {
        var device = ArenaUse.Changes(Streamed, Measured, 1).Select(c => (c.Nanoseconds, c.Change.Value));
        Assert.Equal([(-500, 40), (1500, 20), (4001, -40), (5001, -20)], device);
        var host = ArenaUse.Changes(Streamed, Measured, 0).Select(c => (c.Nanoseconds, c.Change.Value));
        Assert.Equal([(0, 40), (4001, 20), (5001, -40), (5001, -20)], host);

        var events = Events(new TracedRun("measured", Streamed, [new TracedStep(7, Measured, 0)]));
        var counted = events
            .Where(e => Text(e, "ph") == "C" && Text(e, "name") == "device memory in use")
            .Select(e => e.GetProperty("args").GetProperty("bytes").GetInt64());
        Assert.Equal([40, 60, 20, 0], counted);
    }

    [Fact]
    public void Runs_lie_side_by_side_and_steps_one_after_the_other()
    {
        var events = Events(
            new TracedRun("measured", Streamed, [new TracedStep(1, Measured, 1000), new TracedStep(2, Measured, 6001)]),
            new TracedRun("predicted", Streamed, [new TracedStep(2, Measured, 6001)])
        );
        Assert.Equal(
            [1, 1, 2],
            events.Where(e => Text(e, "name").StartsWith("step ", StringComparison.Ordinal)).Select(e => e.GetProperty("pid").GetInt32())
        );
        Assert.Equal(
            [0.5, 5.501, 5.501],
            events.Where(e => Text(e, "name").StartsWith("step ", StringComparison.Ordinal)).Select(e => e.GetProperty("ts").GetDouble())
        );

        // Where one step ends and the next begins, what stays in use is no change.
        var host = events.Where(e =>
            Text(e, "ph") == "C" && Text(e, "name").StartsWith("host", StringComparison.Ordinal) && e.GetProperty("pid").GetInt32() == 1
        );
        Assert.Equal([40, 60, 40, 60, 0], host.Select(e => e.GetProperty("args").GetProperty("bytes").GetInt64()));
    }

    private static List<JsonElement> Events(params TracedRun[] runs)
    {
        using var output = new MemoryStream();
        TimelineTrace.Write(output, [.. runs]);
        return [.. JsonDocument.Parse(output.ToArray()).RootElement.GetProperty("traceEvents").EnumerateArray()];
    }

    private static JsonElement Find(List<JsonElement> events, string name) => events.First(e => Text(e, "name") == name);

    private static (double Start, double Duration) Times(List<JsonElement> events, string name) =>
        (Find(events, name).GetProperty("ts").GetDouble(), Find(events, name).GetProperty("dur").GetDouble());

    private static double Argument(List<JsonElement> events, string name, string argument) =>
        Find(events, name).GetProperty("args").GetProperty(argument).GetDouble();

    private static string Text(JsonElement e, string key) => e.GetProperty(key).GetString()!;
}
