using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>plan --explain and simulate --explain: what bounds a step, for people and as JSON.</summary>
[Trait("Slow", "true")]
public class ExplainTests
{
    private const string AnyMicro = "micro --seqlen 256 --global-batch 2048";
    private const string Micro = AnyMicro + " --device-memory 0.03 --host-memory 0.25";
    private const string OnH100 = "8b --seqlen 8192 --device-memory 24 --host-memory 75 --hardware h100";
    private static readonly string[] s_bounds = ["compute", "host_to_device", "device_to_host", "device_memory", "host_memory"];

    private static JsonElement Explanation(string arguments) =>
        JsonDocument.Parse(Programs.Good(Programs.Dataflow(arguments + " --explain --json"))).RootElement.GetProperty("explain");

    private static double Number(JsonElement of, string key) => of.GetProperty(key).GetDouble();

    [Theory]
    [InlineData("plan " + Micro)]
    [InlineData("simulate " + Micro + " --hardware cpu")]
    public void For_people_it_is_a_few_lines(string arguments)
    {
        string text = Programs.Good(Programs.Dataflow(arguments + " --explain"));
        Assert.All(
            [
                "Why this plan, on ",
                " bounds the step: ",
                "  recomputed    ",
                "  ceiling       ",
                "  host memory   ",
                "  link          to the device ",
                "  link          to the host ",
                "% of the compute time",
                "% of the step is waiting for them",
                " tok/s if this plan recomputed nothing and waited for nothing; it reaches ",
                "1 GiB more of device memory brings ",
                "1 GiB more of host memory brings ",
            ],
            part => Assert.Contains(part, text, StringComparison.Ordinal)
        );
        Assert.DoesNotContain("Why this plan", Programs.Good(Programs.Dataflow(arguments)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("plan " + Micro)]
    [InlineData("simulate " + Micro + " --hardware cpu")]
    public void As_json_its_figures_agree_with_each_other(string arguments)
    {
        var why = Explanation(arguments);
        Assert.Contains(why.GetProperty("bound").GetString(), s_bounds);
        Assert.Contains(" bounds the step: ", why.GetProperty("sentence").GetString(), StringComparison.Ordinal);
        var (compute, recomputed, exposed) = (
            Number(why, "compute_share_of_step"),
            Number(why, "recomputed_share_of_compute"),
            Number(why, "exposed_copies_share_of_step")
        );
        Assert.InRange(compute, 0.01, 1);
        Assert.InRange(recomputed, 0, 0.6);
        Assert.InRange(exposed, 0, 1.000001 - compute);

        // The ceiling is the rate of the compute time alone, without what of it is recomputation.
        double rate = Number(why, "tok_per_sec"), ceiling = Number(why, "compute_ceiling_tok_per_sec");
        Assert.Equal(1, rate / (ceiling * compute * (1 - recomputed)), 1e-9);
        double seconds = why.GetProperty("exposed_copies").EnumerateArray().Sum(e => Number(e, "seconds"));
        Assert.Equal(exposed, seconds * rate / 2048, 1e-9);
        Assert.All(new[] { "more_device_memory", "more_host_memory" }, key =>
        {
            var more = why.GetProperty(key);
            Assert.Equal(1L << 30, more.GetProperty("bytes").GetInt64());
            Assert.True(Number(more, "gain") >= 0);
            Assert.Equal(Number(more, "tok_per_sec"), rate * (1 + Number(more, "gain")), 1e-6 * rate);
        });
        Assert.Equal(["device", "host"], why.GetProperty("links").EnumerateArray().Select(l => l.GetProperty("to").GetString()));
        Assert.All(why.GetProperty("links").EnumerateArray(), l =>
            Assert.True(Number(l, "stalls_below_bytes_per_s") > 0 && Number(l, "bytes_per_s") > 0)
        );
        Assert.InRange(why.GetProperty("others").GetArrayLength(), 0, 5);
    }

    [Fact]
    public void More_device_memory_helps_where_there_is_too_little()
    {
        // A device that holds a third of the model's state against one that holds all of it thrice.
        var (tight, roomy) = (Explanation($"plan {Micro}"), Explanation($"plan {AnyMicro} --device-memory 1GiB --host-memory 1GiB"));
        Assert.True(Number(tight.GetProperty("more_device_memory"), "gain") > 0.01);
        Assert.Equal(0, Number(roomy.GetProperty("more_device_memory"), "gain"), 1e-9);
        Assert.Equal("compute", roomy.GetProperty("bound").GetString());
    }

    [Theory]
    [InlineData("plan " + Micro + " --policy simple")]
    [InlineData("simulate " + OnH100 + " --policy reference")]
    public void Without_a_search_it_says_what_the_step_says_itself(string arguments)
    {
        var why = Explanation(arguments);
        Assert.Equal(JsonValueKind.Null, why.GetProperty("more_device_memory").ValueKind);
        Assert.Equal(0, why.GetProperty("others").GetArrayLength());
        Assert.True(Number(why, "compute_ceiling_tok_per_sec") > Number(why, "tok_per_sec"));
    }

    [Fact]
    public void What_does_not_fit_has_no_explanation()
    {
        var outcome = Programs.Dataflow($"plan {AnyMicro} --device-memory 1KiB --host-memory 1GiB --explain --json");
        Programs.Refused(3, outcome);
        Assert.Equal(JsonValueKind.Null, JsonDocument.Parse(outcome.Output).RootElement.GetProperty("explain").ValueKind);
    }
}
