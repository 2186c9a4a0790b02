using System.IO.Compression;
using System.Text.Json;
using Dataflow.Reports.Pages;
using Dataflow.Schedules;

namespace Dataflow.Reports.Tests;

/// <summary>A timeline's page holds its step, and nothing in it can break out of the page.</summary>
public class TimelinePageTests
{
    private static readonly Schedule Sample = SampleStep.Make(40);
    private static readonly ShownStep Predicted = new("for h100-sxm", ResultSource.Simulated, SampleStep.Run(Sample));

    [Fact]
    public void All_ops_are_there_with_their_times_and_waits()
    {
        using var data = Data(TimelinePage.Of("sample", Sample, Predicted));
        var root = data.RootElement;
        string[] names = root.GetProperty("names").GetString()!.Split('\n');
        long[] kinds = Numbers(root, "kind");
        Assert.Equal(Sample.Ops.Length, names.Length);
        for (int i = 0; i < names.Length; i++)
        {
            Assert.Equal(TimelineTrace.NameOf(Sample, i), $"{root.GetProperty("kinds")[(int)kinds[i]].GetString()} {names[i]}");
        }

        var step = root.GetProperty("steps")[0];
        Assert.Equal("Simulated", step.GetProperty("source").GetString());
        long[] start = Running(Numbers(step, "start"));
        Assert.Equal(Predicted.Timeline.Ops.Select(o => o.Start), start);
        Assert.Equal(Predicted.Timeline.Ops.Select(o => o.Duration), Numbers(step, "duration"));
        Assert.Equal(Predicted.Timeline.Ops.Select(o => o.Stall), Numbers(step, "stall"));
        Assert.Equal(Predicted.Timeline.Ops.Select((o, i) => o.Awaited.Op < 0 ? 0L : i - o.Awaited.Op), Numbers(step, "awaited"));

        // The second fetch waits for nothing; the third (op 6) for the first forward (op 1), which frees its slot.
        Assert.Equal("[[],[1],[1],[],[1],[1],[5]", root.GetProperty("waits").GetRawText()[..26]);
    }

    [Fact]
    public void It_says_the_words_of_the_command_line()
    {
        var counted = Sample with { Facts = [new("chunks_per_round", "8192"), new("recipe", "bf16")] };
        using var data = Data(TimelinePage.Of("sample", counted, Predicted));
        Assert.Equal(
            ["compute", "to device", "to host"],
            data.RootElement.GetProperty("streams").EnumerateArray().Select(s => s.GetString())
        );
        Assert.Equal(
            ["chunks per round 8,192", "recipe bf16"],
            data.RootElement.GetProperty("facts").EnumerateArray().Select(s => s.GetString())
        );
        Assert.Equal("parameters to come", data.RootElement.GetProperty("awaited").GetProperty("Fetch W").GetString());
        Assert.Equal("activations to leave", data.RootElement.GetProperty("awaited").GetProperty("Save A").GetString());
    }

    [Fact]
    public void Waits_for_the_step_before_are_told_apart()
    {
        var looped = Sample with { Ops = Sample.Ops.SetItem(0, Sample.Ops[0] with { Waits = [new Wait(4, 1)] }) };
        using var data = Data(TimelinePage.Of("sample", looped, Predicted));
        Assert.Equal("[[-5]", data.RootElement.GetProperty("waits").GetRawText()[..5]);
    }

    [Fact]
    public void Memory_ends_where_it_began_and_peaks_at_what_lived()
    {
        using var data = Data(TimelinePage.Of("sample", Sample, Predicted));
        long[] device = Numbers(data.RootElement.GetProperty("steps")[0].GetProperty("memory")[1]);
        long[] levels = Running([.. device.Where((_, i) => i % 2 == 1)]);
        Assert.Equal(0, levels[^1]);
        Assert.InRange(levels.Max(), 3L << 20, 4L << 20);
    }

    [Fact]
    public void Names_cannot_end_the_script_they_are_in()
    {
        string page = TimelinePage.Of("a </script><img src=x> & b", Sample, Predicted with { Name = "<!--" });
        Assert.Equal(2, page.Split("</script>").Length - 1);
        Assert.DoesNotContain("<img", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<!--", page, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_step_is_the_same_page_and_needs_nothing_else()
    {
        string page = TimelinePage.Of("sample", Sample, Predicted, new("step 2", ResultSource.Measured, SampleStep.Run(Sample, 110)));
        Assert.Equal(
            page,
            TimelinePage.Of("sample", SampleStep.Make(40), Predicted, new("step 2", ResultSource.Measured, SampleStep.Run(Sample, 110)))
        );
        Assert.DoesNotContain("http", page, StringComparison.Ordinal);
        Assert.DoesNotContain("{{", page, StringComparison.Ordinal);
    }

    [Fact]
    public void A_step_of_another_schedule_is_refused()
    {
        var other = new ShownStep("other", ResultSource.Measured, SampleStep.Run(SampleStep.Make(3)));
        Assert.Contains(
            "each with 120 ops",
            Assert.Throws<ArgumentException>(() => TimelinePage.Of("sample", Sample, other)).Message,
            StringComparison.Ordinal
        );
        Assert.Throws<ArgumentException>(() => TimelinePage.Of("sample", Sample));
    }

    private static JsonDocument Data(string page)
    {
        const string Mark = "id=\"data\">";
        int from = page.IndexOf(Mark, StringComparison.Ordinal) + Mark.Length;
        byte[] packed = Convert.FromBase64String(page[from..page.IndexOf("</script>", from, StringComparison.Ordinal)]);
        using var data = new DeflateStream(new MemoryStream(packed), CompressionMode.Decompress);
        return JsonDocument.Parse(data);
    }

    private static long[] Numbers(JsonElement parent, string name) => Numbers(parent.GetProperty(name));

    private static long[] Numbers(JsonElement list) => [.. list.EnumerateArray().Select(e => e.GetInt64())];

    private static long[] Running(long[] differences)
    {
        long sum = 0;
        return [.. differences.Select(d => sum += d)];
    }
}
