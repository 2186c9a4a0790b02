using System.Globalization;
using Dataflow.Model;

namespace Dataflow.Schedules.Tests;

public sealed class ScheduleTextTests
{
    [Fact]
    public void Text_reads_as_documented()
    {
        Schedule schedule = ScheduleText.Parse(Samples.Step);
        Assert.Equal(Samples.Step, ScheduleText.Print(schedule));
        Assert.Equal(new Slot("W.0", 1, Bytes.Zero, new Bytes(1024)), schedule.Slots[1]);
        ScheduledOp forward = schedule.Ops[2];
        Assert.Equal(
            (OpKind.Forward, 0, new Layer(0), new Chunk(1), new Round(2)),
            (forward.Kind, forward.Stream, forward.Layer, forward.Chunk, forward.Round)
        );
        Assert.Equal(SaveSet.Kv | SaveSet.Attention, forward.Saved);
        Assert.Equal(new Access("x", 1, 2, new Bytes(128), new Bytes(256), AccessMode.ReadWrite), forward.Accesses[1]);
        Assert.Equal([new Wait(0, 0), new Wait(3, 1)], forward.Waits);
    }

    [Fact]
    public void A_segment_is_printed_with_the_number_of_segments()
    {
        const string update = "op 3 Update L00 piece=1", attend = "op 3 Attend L00 C1 R2 S1/4 piece=1";
        string text = Samples.Step.Replace(update, attend, StringComparison.Ordinal);
        Schedule schedule = ScheduleText.Parse(text);
        Assert.Equal((OpKind.Attend, new Segment(1, 4)), (schedule.Ops[3].Kind, schedule.Ops[3].Segment));
        Assert.Null(schedule.Ops[2].Segment);
        Assert.Equal(text, ScheduleText.Print(schedule));
        Assert.NotEqual(schedule, ScheduleText.Parse(text.Replace("S1/4", "S1/3", StringComparison.Ordinal)));
    }

    [Fact]
    public void Parse_inverts_Print_on_any_value()
    {
        for (int seed = 0; seed < 500; seed++)
        {
            Schedule schedule = Samples.Arbitrary(new Random(seed));
            string text = ScheduleText.Print(schedule);
            Schedule parsed = ScheduleText.Parse(text);
            Assert.True(schedule.Equals(parsed), text);
            Assert.Equal(schedule.GetHashCode(), parsed.GetHashCode());
            Assert.Equal(text, ScheduleText.Print(parsed));
        }
    }

    [Fact]
    public void Parse_inverts_Print_on_programs()
    {
        for (int seed = 0; seed < 500; seed++)
        {
            Schedule schedule = WaitInference.Infer(RandomPrograms.Make(new Random(seed), 20));
            Assert.Equal(schedule, ScheduleText.Parse(ScheduleText.Print(schedule)));
        }
    }

    [Fact]
    public void Text_is_the_same_in_any_culture()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        var odd = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        odd.NumberFormat.NegativeSign = "minus ";
        Schedule schedule = Samples.Arbitrary(new Random(1));
        string text = ScheduleText.Print(schedule);
        try
        {
            CultureInfo.CurrentCulture = odd;
            Assert.Equal(text, ScheduleText.Print(schedule));
            Assert.Equal(schedule, ScheduleText.Parse(text));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void Blank_lines_comments_and_other_line_ends_are_accepted() => Assert.Equal(
        ScheduleText.Parse(Samples.Step),
        ScheduleText.Parse("// by hand\n\n" + Samples.Step.Replace("\n", "\r\n", StringComparison.Ordinal)));

    [Fact]
    public void Names_that_are_not_plain_or_not_unique_are_quoted_and_referred_to_by_index()
    {
        Schedule schedule = ScheduleText.Parse(Samples.Step);
        schedule = schedule with
        {
            Slots = [.. schedule.Slots.Select((s, i) => i == 1 ? s with { Name = "two words" } : s with { Name = "same" })],
        };
        string text = ScheduleText.Print(schedule);
        Assert.Contains("slot \"two words\" device 0+1024\n", text, StringComparison.Ordinal);
        Assert.Contains("from=W/L00@#0:r to=W/L00@#1:w", text, StringComparison.Ordinal);
        Assert.Equal(schedule, ScheduleText.Parse(text));
    }

    [Theory]
    [InlineData("schedule 1", "schedule 9", "line 1, column 1: found 'schedule', expected 'schedule 1'")]
    [InlineData("stream compute", "strand compute", "line 5, column 1: found 'strand', expected fact, arena, stream")]
    [InlineData(
        "state W/L00@W.host",
        "state V/L00@W.host",
        "line 13, column 7: found 'V/L00@W.host', expected the name of an object declared above"
    )]
    [InlineData("op 2 Forward", "op 3 Forward", "line 18, column 4: found '3', expected 2, the number of the op")]
    [InlineData("op 2 Forward", "op 2 Forwards", "line 18, column 6: found 'Forwards', expected the kind of an op (Embed, Forward")]
    [InlineData("on compute save", "save", "expected")]
    [InlineData("op 3 Update L00", "op 3 Update L00 S1/x", "line 19, column 20: found 'x', expected the number of segments")]
    [InlineData("x=X/C1@X[128+256]:rw", "x=X/C1@X[128+256]:q", "line 18, column 85: found 'q', expected a mode (r, w, rw)")]
    [InlineData("object X/C1 512", "object X/C1 many", "line 11, column 13: found 'many', expected the length of an object")]
    [InlineData("Kv,Attention", "Kv,Head", "found 'Kv,Head', expected tensors joined by commas (None, Kv")]
    [InlineData("after 0 -3", "after 0 x", "found 'x', expected an op to wait for (17: of this step, -17: of the step before)")]
    [InlineData("end 4\n", "", "line 20, column 1: found the end of the line, expected 'end' and the number of ops")]
    [InlineData("end 4", "end 3", "line 20, column 5: found '3', expected 4, the number of ops")]
    [InlineData("end 4", "end 4\nend 4", "line 21, column 1: found 'end', expected nothing after 'end'")]
    public void What_does_not_parse_is_located(string good, string bad, string message)
    {
        string text = Samples.Step.Replace(good, bad, StringComparison.Ordinal);
        if (good == "on compute save")
        {
            text = Samples.Step.Replace(" on compute w=", " w=", StringComparison.Ordinal);
        }

        FormatException error = Assert.Throws<FormatException>(() => ScheduleText.Parse(text));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_text_parses_or_fails_with_FormatException()
    {
        var random = new Random(7);
        string text = ScheduleText.Print(Samples.Arbitrary(new Random(3)));
        for (int trial = 0; trial < 5000; trial++)
        {
            char[] damaged = text.ToCharArray();
            for (int k = random.Next(1, 4); k > 0; k--)
            {
                damaged[random.Next(damaged.Length)] = text[random.Next(text.Length)];
            }

            try
            {
                _ = ScheduleText.Parse(new string(damaged));
            }
            catch (FormatException error)
            {
                Assert.Matches("^line [0-9]+, column [0-9]+: found .*, expected ", error.Message);
            }
        }
    }

    [Fact]
    public void An_excerpt_has_an_arrow_at_the_op()
    {
        string[] lines = ScheduleText.PrintAround(ScheduleText.Parse(Samples.Step), 3, 1).TrimEnd('\n').Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.StartsWith("    op 2 Forward L00 C1 R2 save=Kv,Attention on compute", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("--> op 3 Update L00 piece=1 on compute", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Hash_is_pinned()
    {
        Schedule schedule = ScheduleText.Parse(Samples.Step);
        Assert.Equal("04d64daa6bd98bfde70b183a54a2413a54433bfe9477a8692b6e960599b54049", ScheduleHash.Of(schedule));
        Assert.NotEqual(ScheduleHash.Of(schedule), ScheduleHash.Of(schedule with { Ops = schedule.Ops.RemoveAt(3) }));
    }
}
