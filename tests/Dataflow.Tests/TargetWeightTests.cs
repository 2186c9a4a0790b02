using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Tests;

/// <summary>A caller's own rows with weights of their targets, through the whole library.</summary>
public class TargetWeightTests
{
    private const int Seqlen = 64;

    [Fact]
    public void What_documentation_shows_trains_with_weights_and_goes_on_to_the_same_bits()
    {
        using var tiny = new TinyRun();
        using var text = ByteText.Open(tiny.PathOf("text.txt"), Seqlen, 256);
        TrainingOptions Options(int steps, string? checkpoint, Func<int, float> quality) =>
            DocumentedCode.Weighing.Of(tiny.Options(steps, checkpoint), text, quality);
        static float Some(int row) => 0.5f + (row % 3);

        double[] weighted = TinyRun.Losses(Options(4, null, Some)), plain = TinyRun.Losses(Options(4, null, _ => 1));
        Assert.NotEqual(plain[0], weighted[0]);

        // A weighted mean: a factor of all weights changes nothing but rounding, and weights of 1 are none.
        double[] doubled = TinyRun.Losses(Options(4, null, row => 2 * Some(row)));
        Assert.All(weighted, (loss, i) => Assert.Equal(loss, doubled[i], 1e-5));
        Assert.Equal(TinyRun.Losses(tiny.Options(4) with { Data = [], Source = text }), plain);

        _ = TinyRun.Losses(Options(2, "saved", Some));
        using var more = TrainingRun.Resume(
            tiny.PathOf("saved"),
            saved => DocumentedCode.Weighing.Of(saved with { Steps = 4 }, text, Some)
        );
        Assert.Equal(weighted[2..], more.Steps(TestContext.Current.CancellationToken).Select(s => s.Step.Loss));
    }

    [Fact]
    public void The_plan_has_room_for_them_where_they_are_used_alone()
    {
        using var tiny = new TinyRun();
        using var text = ByteText.Open(tiny.PathOf("text.txt"), Seqlen, 256);
        using var without = TrainingRun.Prepare(tiny.Options(1) with { Data = [], Source = text });
        using var with = TrainingRun.Prepare(DocumentedCode.Weighing.Of(tiny.Options(1), text, _ => 2));
        Assert.DoesNotContain(without.Plan.Schedule.Facts, f => f.Key == "target_weights");
        Assert.Contains(with.Plan.Schedule.Facts, f => f is { Key: "target_weights", Value: "fp32" });

        // An array more of the four that tables of such a model have.
        Bytes Table(TrainingRun run) => run.Plan.Schedule.Objects.First(o => o.Name.StartsWith("T/", StringComparison.Ordinal)).Length;
        Assert.Equal(4L * without.Plan.Workload.Geometry.ChunkTokens * sizeof(int), Table(without).Value);
        Assert.Equal(5L * with.Plan.Workload.Geometry.ChunkTokens * sizeof(int), Table(with).Value);
    }

    [Fact]
    public void What_is_no_weight_is_refused_by_its_name()
    {
        using var tiny = new TinyRun();
        using var text = ByteText.Open(tiny.PathOf("text.txt"), Seqlen, 256);
        var fault = Assert.Throws<UserErrorException>(() =>
            TinyRun.Losses(DocumentedCode.Weighing.Of(tiny.Options(40), text, row => row == 9 ? float.NaN : 1)));
        Assert.Equal("the weight of target 0 of row 9 of the token source is NaN; give a finite number", fault.Message);
        Assert.Contains(
            "would be divided by -",
            Assert.Throws<UserErrorException>(() => TinyRun.Losses(DocumentedCode.Weighing.Of(tiny.Options(1), text, _ => -1))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_run_does_not_go_on_without_the_weights_that_it_began_with()
    {
        using var tiny = new TinyRun();
        using var text = ByteText.Open(tiny.PathOf("text.txt"), Seqlen, 256);
        _ = TinyRun.Losses(DocumentedCode.Weighing.Of(tiny.Options(2, "saved"), text, _ => 2));
        Assert.Throws<UserErrorException>(() =>
            TrainingRun.Resume(tiny.PathOf("saved"), saved => saved with { Steps = 4, Data = [], Source = text }));
        Assert.Throws<UserErrorException>(() =>
            TrainingRun.Resume(tiny.PathOf("saved"), saved => DocumentedCode.Weighing.Of(saved with { Steps = 4 }, text, _ => 3)));
    }
}
