using Dataflow.Model;

namespace Dataflow.Schedules.Tests;

public sealed class ScheduleVerifierTests
{
    // Two arenas, a weight whose home is on the host, activations on the device.
    private const string Frame = """
        schedule 1
        arena host 200
        arena device 100
        stream compute
        stream copy
        stream back
        slot W.host host 0+40
        slot A.host host 40+40
        slot W.dev device 0+40
        slot A.dev device 40+40
        object W 40
        object A 40
        object T 10
        state W@W.host

        """;

    private const string Good = """
        op 0 Fetch on copy from=W@W.host:r to=W@W.dev:w after -1
        op 1 Forward on compute w=W@W.dev:r a=A@A.dev:w after 0 -2
        op 2 Save on back from=A@A.dev:r to=A@A.host:w after 1
        """;

    private static string Text(string ops) => $"{Frame}{ops}\nend {ops.Split('\n').Length}";

    private static IReadOnlyList<ScheduleError> Verify(string text) => ScheduleVerifier.Verify(ScheduleText.Parse(text));

    [Fact]
    public void A_good_schedule_has_no_errors() => Assert.Empty(Verify(Text(Good)));

    [Theory]

    // structure
    [InlineData("slot W.dev device 0+40", "slot W.dev device 70+40", null, "slot W.dev at 70+40 is not inside arena device of 100 bytes")]
    [InlineData("slot W.dev device 0+40", "slot W.dev #7 0+40", null, "slot W.dev is in arena 7, there are 2")]
    [InlineData("slot W.dev device 0+40", "slot W.dev device 1+40", null, "slots W.dev at 1+40 and A.dev at 40+40 overlap")]
    [InlineData("object A 40", "object A 41", 1, "op 1 Forward places A of 41 bytes in slot A.dev of 40")]
    [InlineData("object T 10", "object T 10\nobject T 12", null, "more than one object is called T")]
    [InlineData(
        "slot A.dev device 40+40",
        "slot A.dev device 40+40\nslot B device 80+5\nslot B device 85+5",
        null,
        "more than one slot is called B"
    )]
    [InlineData("arena device 100", "arena device -1", null, "arena device has length -1")]
    [InlineData("object T 10", "object T -1", null, "object T has length -1")]
    [InlineData("state W@W.host", "state W@W.host\nstate W@#9", null, "names object 0 in slot 9; there are 3 objects and 4 slots")]
    [InlineData("state W@W.host", "state W@W.host\ninput T@W.host", null, "state W is in slot W.host at the start of a step, and so is T")]
    [InlineData("w=W@W.dev:r", "w=#9@W.dev[0+1]:r", 1, "op 1 Forward names object 9 in slot 2")]
    [InlineData("w=W@W.dev:r", "w=W@W.dev[8+33]:r", 1, "op 1 Forward accesses W@W.dev[8+33]:r outside the object's 40 bytes")]
    [InlineData("w=W@W.dev:r", "w=W@W.dev[8+0]:r", 1, "op 1 Forward accesses no byte with W@W.dev[8+0]:r")]
    [InlineData("w=W@W.dev:r", "w=W@W.dev:5", 1, "op 1 Forward accesses W@W.dev:5 in no known mode")]
    [InlineData(
        "w=W@W.dev:r",
        "w=W@W.dev:r v=A@A.dev[39+1]:r",
        1,
        "op 1 Forward writes bytes it accesses twice: A@A.dev[39+1]:r and A@A.dev:w"
    )]
    [InlineData("op 1 Forward", "op 1 77", 1, "op 1 77 is of no known kind")]
    [InlineData("on compute w", "on #3 w", 1, "op 1 Forward is on stream 3, there are 3")]
    [InlineData("to=W@W.dev:w", "to=A@W.dev:w", 0, "op 0 Fetch is a copy but")]
    [InlineData("to=W@W.dev:w", "to=W@W.dev[0+20]:w", 0, "op 0 Fetch is a copy but")]
    [InlineData("to=W@W.dev:w", "to=W@W.dev:rw", 0, "op 0 Fetch is a copy but")]
    [InlineData("to=W@W.dev:w", "to=W@W.host:w", 0, "op 0 Fetch is a copy but")]
    [InlineData("to=W@W.dev:w", "", 0, "op 0 Fetch is a copy but")]
    [InlineData("after 0 -2", "after 0 2", 1, "op 1 Forward waits for op 2, which is not an earlier op")]
    [InlineData("after 0 -2", "after 0 -3", 1, "op 1 Forward waits for op 3, which is not an op of the step before")]
    [InlineData("after 0 -2", "after 0 2~2", 1, "op 1 Forward waits for an op 2 steps ago")]
    [InlineData("after 0 -2", "after 0 -2 -1", 1, "op 1 Forward waits for op 1 Forward of its own stream")]
    public void Structure(string good, string bad, int? op, string message) => ExpectOne("structure", good, bad, op, message);

    [Theory]
    [InlineData(
        "after 0 -2",
        "after -2",
        1,
        "op 1 Forward accesses W@W.dev:r without waiting for op 0 Fetch, which accesses W@W.dev:w: bytes 0 to 40 of arena device"
    )]
    [InlineData(
        "after 0 -2",
        "after 0",
        1,
        "op 1 Forward accesses A@A.dev:w without waiting for op 2 Save of the step before, which accesses A@A.dev:r: bytes 40 to 80 of "
            + "arena device"
    )]
    [InlineData(
        "w after -1",
        "w",
        0,
        "op 0 Fetch accesses W@W.dev:w without waiting for op 1 Forward of the step before, which accesses W@W.dev:r: bytes 0 to 40 of "
            + "arena device"
    )]
    public void Hazard(string good, string bad, int? op, string message) => ExpectOne("hazard", good, bad, op, message);

    [Theory]
    [InlineData("w=W@W.dev:r a=A@A.dev:w", "w=W@W.dev:r a=A@A.dev:rw", 1, "op 1 Forward reads A@A.dev:rw, but bytes 0 to 40 are undefined")]
    [InlineData("a=A@A.dev:w", "a=A@A.dev[0+30]:w", 2, "op 2 Save reads A@A.dev:r, but bytes 30 to 40 are undefined")]
    [InlineData(
        "a=A@A.dev:w",
        "a=A@A.dev[0+8]:w b=T@A.dev[8+2]:w c=A@A.dev[10+30]:w",
        2,
        "op 2 Save reads A@A.dev:r, but bytes 8 to 10 hold another tenant, T, written by op 1 Forward"
    )]
    [InlineData("w=W@W.dev:r", "w=W@W.dev:r v=W@W.host[8+4]:w", null, null)]
    public void Value(string good, string bad, int? op, string? message)
    {
        // Hazards aside: these edits add accesses to a schedule whose waits fit the old ones.
        Schedule schedule = WaitInference.Infer(ScheduleText.Parse(Text(Good).Replace(good, bad, StringComparison.Ordinal)));
        IReadOnlyList<ScheduleError> errors = ScheduleVerifier.Verify(schedule);
        if (message is null)
        {
            Assert.Empty(errors);
            return;
        }

        ScheduleError error = Assert.Single(errors);
        Assert.Equal(("value", op), (error.Rule, error.Op));
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Value_stale()
    {
        Schedule schedule = WaitInference.Infer(ScheduleText.Parse(Text("""
            op 0 Fetch on copy from=W@W.host:r to=W@W.dev:w
            op 1 Update on compute w=W@W.host:rw
            op 2 Forward on compute w=W@W.dev:r
            """)));
        ScheduleError error = Assert.Single(ScheduleVerifier.Verify(schedule));
        Assert.Equal(
            new ScheduleError(
                "value",
                2,
                "op 2 Forward reads W@W.dev:r, but bytes 0 to 40 are stale, there since the start of the step; the latest are written by "
                    + "op 1 Update"
            ),
            error
        );
    }

    [Theory]
    [InlineData(
        "state W@W.host",
        "state W@W.host\noutput A@W.dev",
        "output A is not in slot W.dev at the end of the step: bytes 0 to 40 hold another tenant, W, there since the start of the step"
    )]
    [InlineData(
        "state W@W.host",
        "state W@W.host\nstate T@A.dev",
        "state T is not in slot A.dev at the end of the step: bytes 0 to 10 hold another tenant, A, written by op 1 Forward"
    )]
    [InlineData(
        "state W@W.host",
        "state W@W.host\noutput T@A.dev",
        "output T is not in slot A.dev at the end of the step: bytes 0 to 10 hold another tenant, A, written by op 1 Forward"
    )]
    public void Tenancy(string good, string bad, string message) => ExpectOne("tenancy", good, bad, null, message);

    [Fact]
    public void Budget()
    {
        Schedule schedule = ScheduleText.Parse(Text(Good));
        Assert.Empty(ScheduleVerifier.Verify(schedule, [new Bytes(200), new Bytes(100)]));
        ScheduleError error = Assert.Single(ScheduleVerifier.Verify(schedule, [new Bytes(200), new Bytes(99)]));
        Assert.Equal(new ScheduleError("budget", null, "arena device takes 100 bytes (100 bytes), its budget is 99 (99 bytes)"), error);
        Assert.Equal("1 budgets were given for 2 arenas", Assert.Single(ScheduleVerifier.Verify(schedule, [new Bytes(200)])).Message);
    }

    [Fact]
    public void All_errors_are_reported_at_once_up_to_a_limit()
    {
        string many = string.Join("\n", Enumerable.Range(0, 300).Select(i => $"op {i} Norm on compute a=A@A.dev:r"));
        Assert.Equal(ScheduleVerifier.MaxErrors, Verify(Text(many)).Count);
        Assert.Equal(
            3,
            Verify(
                Text(Good).Replace(" after 0 -2", "", StringComparison.Ordinal).Replace("w after -1", "w", StringComparison.Ordinal)
            ).Count
        );
    }

    [Fact]
    public void Any_value_at_all_is_judged_without_failing()
    {
        for (int seed = 0; seed < 2000; seed++)
        {
            _ = ScheduleVerifier.Verify(Samples.Arbitrary(new Random(seed)), [new Bytes(2)]);
        }
    }

    private static void ExpectOne(string rule, string good, string bad, int? op, string message)
    {
        string text = Text(Good);
        Assert.Contains(good, text, StringComparison.Ordinal);
        ScheduleError error = Verify(text.Replace(good, bad, StringComparison.Ordinal))[0];
        Assert.Equal((rule, op), (error.Rule, error.Op));
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }
}
