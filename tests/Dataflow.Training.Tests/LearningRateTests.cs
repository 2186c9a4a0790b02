using System.Text.Json;

namespace Dataflow.Training.Tests;

/// <summary>Learning rates: those of transformers' schedulers as that library gives them, and ours by their rules.</summary>
public sealed class LearningRateTests
{
    private const double Close = 1e-12;

    /// <summary>All files of rates.</summary>
    public static TheoryData<string> Kinds =>
        [.. Directory.GetFiles(Folder, "*.json").Select(f => Path.GetFileNameWithoutExtension(f)!).Where(n => n != "warmup_ratio").Order()];

    private static string Folder => Path.Combine(Golden.Root, "..", "golden-schedules");

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Rates_are_those_of_transformers(string kind)
    {
        foreach (var golden in Read(kind))
        {
            var options = golden.GetProperty("options").EnumerateObject().Select(o => $"{o.Name}={o.Value}");
            string name = $"transformers:{kind}";
            if (kind == "wsd_1_sqrt")
            {
                name = "transformers:warmup_stable_decay";
                options = ["decay_type=1-sqrt", $"num_decay_steps={golden.GetProperty("options").GetProperty("decay_steps")}"];
            }

            var span = new ScheduleSpan(
                golden.GetProperty("base_lr").GetDouble(),
                golden.GetProperty("steps").GetInt64(),
                golden.GetProperty("warmup_steps").GetInt64()
            );
            LearningRateSchedule Schedule() => LearningRateSchedule.Of(name, string.Join(',', options), span);
            JsonElement[] rates = [.. golden.GetProperty("lr").EnumerateArray(), .. golden.GetProperty("lr_beyond").EnumerateArray()];
            if (rates.Any(r => r.ValueKind == JsonValueKind.Null))
            {
                Assert.Contains("divides by zero", UserErrors.Message(() => Schedule()), StringComparison.Ordinal);
                continue;
            }

            var schedule = Schedule();
            Assert.All(rates, (rate, step) => Assert.InRange(schedule.At(step), Least(rate.GetDouble()), Most(rate.GetDouble())));
        }
    }

    [Fact]
    public void A_share_of_the_steps_is_rounded_up_and_the_rest_of_a_number_cut_off()
    {
        foreach (var golden in Read("warmup_ratio"))
        {
            var warmUp = WarmUp.Parse(golden.GetProperty("warmup").GetRawText());
            Assert.Equal(golden.GetProperty("warmup_steps").GetInt64(), warmUp.StepsOf(golden.GetProperty("steps").GetInt64(), 1));
        }

        Assert.Equal(2, WarmUp.Parse("2.9").StepsOf(100, 1));
    }

    [Theory]
    [InlineData("2Mtok", 4096, 489)]
    [InlineData("2mtok", 4096, 489)]
    [InlineData("1.5ktok", 500, 3)]
    [InlineData("7tok", 4, 2)]
    [InlineData("1Gtok", 1_000_000, 1000)]
    [InlineData("0", 4096, 0)]
    public void A_warm_up_in_tokens_is_as_many_steps_as_take_them(string text, long tokens, long steps)
    {
        var warmUp = WarmUp.Parse(text);
        Assert.Equal(steps, warmUp.StepsOf(10_000, tokens));
        Assert.Equal(warmUp, WarmUp.Parse(warmUp.ToString()));
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("tok")]
    [InlineData("2Mt")]
    [InlineData("NaN")]
    [InlineData("1e99")]
    [InlineData("")]
    public void What_is_no_warm_up_is_refused(string text) =>
        Assert.Contains("is no warm-up; write 100 (steps)", UserErrors.Message(() => WarmUp.Parse(text)), StringComparison.Ordinal);

    /// <summary>No step without effect, the whole rate reached, and the floor in the last step, whatever the lengths.</summary>
    [Fact]
    public void Ours_rise_to_the_rate_in_the_warm_up_and_end_at_the_floor()
    {
        foreach (string name in new[] { "linear", "cosine", "polynomial", "wsd" })
        {
            foreach (long steps in new[] { 2L, 3, 10, 997 })
            {
                foreach (long warmUp in new[] { 0, 1, steps / 3, steps - 1 })
                {
                    var schedule = LearningRateSchedule.Of(name, null, new ScheduleSpan(2, steps, warmUp));
                    double[] rates = [.. Enumerable.Range(0, (int)steps).Select(i => schedule.At(i))];
                    long peak = Math.Max(1, warmUp) - 1;
                    Assert.Equal(2.0, rates[peak]);
                    Assert.Equal(2.0 / (peak + 1), rates[0], Close);
                    Assert.Equal(0.2, rates[^1], Close);
                    Assert.Equal(0.2, schedule.At(steps + 5), Close);
                    Assert.All(Enumerable.Range(1, (int)peak), i => Assert.True(rates[i] > rates[i - 1]));
                    Assert.All(Enumerable.Range((int)peak + 1, (int)(steps - peak - 1)), i => Assert.True(rates[i] <= rates[i - 1]));
                }
            }
        }
    }

    [Fact]
    public void Ours_have_the_values_of_their_rules()
    {
        static double[] Rates(string name, string? options, long steps, long warmUp) =>
            [.. Enumerable.Range(0, (int)steps).Select(i => LearningRateSchedule.Of(name, options, new(1, steps, warmUp)).At(i))];

        Same([0.5, 1, 1, 1, 1], Rates("constant", null, 5, 2));
        Same([1, 0.75, 0.5, 0.25, 0], Rates("linear", "floor=0", 5, 0));
        Same([1, (9.0 / 16 * 0.9) + 0.1, (0.25 * 0.9) + 0.1, (1.0 / 16 * 0.9) + 0.1, 0.1], Rates("polynomial", null, 5, 1));
        Same([1, 0.5 + (Math.Sqrt(2) / 4), 0.5, 0.5 - (Math.Sqrt(2) / 4), 0], Rates("cosine", "floor=0", 5, 1));
        Same([1, 0.75, 0.25, 0, 0.75, 0.25, 0], Rates("cosine", "floor=0,restarts=1", 7, 1));
        Same([0.5, 1, Math.Sqrt(2.0 / 3), Math.Sqrt(0.5)], Rates("inverse-sqrt", null, 4, 2));
        Same([1, 0.9, 0.9], Rates("inverse-sqrt", "timescale=1,floor=0.9", 3, 0));
        Same([1, 1, 1, 0.75, 0.5, 0.25, 0], Rates("wsd", "decay=linear,decay-steps=4,floor=0", 7, 1));
        Same([1, 1, 1, 0.5, 1 - Math.Sqrt(0.5), 1 - Math.Sqrt(0.75), 0], Rates("wsd", "decay-steps=4,floor=0", 7, 1));
        Same([1, 1, 1, 1, 1, 1, 1, 1, 0.5, 0], Rates("wsd", "decay=cosine,decay-steps=0.2,floor=0", 10, 1));
    }

    [Theory]
    [InlineData("cosine", "flor=0.1", "'flor=0.1' is no option of schedule cosine; it has floor=..., restarts=...")]
    [InlineData("cosine", "floor", "'floor' is no option of schedule cosine")]
    [InlineData("cosine", "floor=2", "floor of schedule cosine is '2'; give a number from 0 to 1")]
    [InlineData("cosine", "floor=x", "floor of schedule cosine is 'x'; give a number")]
    [InlineData("cosine", "floor=0,floor=0.1", "floor was given twice")]
    [InlineData("cosine", "restarts=0.5", "is no whole number")]
    [InlineData("cosine", "restarts=50", "cannot begin again 50 times")]
    [InlineData("constant", "floor=0", "schedule constant has no options")]
    [InlineData("wsd", "decay=exp", "decay of schedule wsd is linear or cosine or 1-sqrt, not 'exp'")]
    [InlineData("wsd", "decay-steps=9", "give fewer of one")]
    [InlineData("transformers:cosine_with_min_lr", null, "takes one of min_lr=... and min_lr_rate=...")]
    [InlineData("transformers:cosine_with_min_lr", "min_lr=0,min_lr_rate=0", "takes one of")]
    [InlineData("transformers:polynomial", "lr_end=3", "is not below the rate of 1")]
    [InlineData("transformers:warmup_stable_decay", null, "takes num_decay_steps=...")]
    [InlineData("transformers:reduce_lr_on_plateau", null, "is no schedule of this build; choose one of constant, linear")]
    public void What_cannot_be_is_refused(string name, string? options, string why) =>
        Assert.Contains(
            why,
            UserErrors.Message(() => LearningRateSchedule.Of(name, options, new ScheduleSpan(1, 10, 2))),
            StringComparison.Ordinal
        );

    [Fact]
    public void A_warm_up_beyond_the_run_is_refused_but_where_transformers_has_it() =>
        Assert.Contains(
            "the warm-up has 11 steps and the run 10",
            UserErrors.Message(() => LearningRateSchedule.Of("linear", null, new ScheduleSpan(1, 10, 11))),
            StringComparison.Ordinal
        );

    private static double Least(double rate) => rate - (Math.Abs(rate) * Close);

    private static double Most(double rate) => rate + (Math.Abs(rate) * Close);

    private static void Same(double[] want, double[] got)
    {
        Assert.Equal(want.Length, got.Length);
        Assert.All(want, (value, i) => Assert.InRange(got[i], value - Close, value + Close));
    }

    private static List<JsonElement> Read(string kind)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, kind + ".json")));
        return [.. document.RootElement.EnumerateArray().Select(e => e.Clone())];
    }
}
