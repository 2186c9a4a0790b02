using System.Globalization;
using Dataflow.Reports.Pages;

namespace Dataflow.Reports.Tests;

/// <summary>The page of training runs.</summary>
public sealed class RunsPageTests : IDisposable
{
    private const string Busy = """{"compute":0.9,"h2d":0.4,"d2h":0.2}""";
    private const string Experts =
        """[{"layer":0,"most":1.8,"least":0.3,"unused":1},{"layer":1,"most":1.2,"least":0.9,"unused":0}]""";

    private const string Groups =
        """[{"group":"embedding","gradient_norm":1,"update_ratio":0.002},{"group":"layer 0","gradient_norm":0.5,"update_ratio":0.001}]""";

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_same_runs_are_the_same_page_and_nothing_breaks_out_of_it()
    {
        string page = Page();
        Assert.Equal(page, Page());
        Assert.Equal(2, page.Split("</script>").Length - 1);
        Assert.DoesNotContain("<first>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("src=\"http", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_runs_are_looked_at_and_read_off()
    {
        string path = folder.File("runs.html");
        File.WriteAllText(path, Page());
        Browser.Run("runs.mjs", path);
    }

    private static string Page() =>
        RunsPage.Of("Training: <first>, second", "As metrics.jsonl of 2 runs have it.", [First(), Second()]);

    private static Dictionary<string, string> Settings(string rate) => new() { ["lr"] = rate, ["weight-decay"] = "0.1" };

    // Resumed at step 40 with another batch; says all that a run can say.
    private static RunLines First()
    {
        var run = new RunLines("<first>") { Settings = Settings("3e-4") };
        run.Add(Head(0, "fp32", 100));
        for (int step = 1; step <= 100; step++)
        {
            if (step == 41)
            {
                run.Add(Head(40, "fp32", 100));
                run.Add("""{"event":"changed","step":40,"setting":"global-batch","from":"1024","to":"2048"}""");
            }

            string more = step % 10 == 0 ? $",\"validation_loss\":{Text(Loss(step) + 0.1)},\"groups\":{Groups}"
                : step % 25 == 2 ? $",\"busy\":{Busy},\"process_bytes\":200000000,\"experts\":{Experts}"
                : "";
            run.Add(Step(step, more + ""","preferences":{"pairs":8,"margin":0.2,"accuracy":0.75}"""));
        }

        run.Add("""{"event":"summary","steps":100}""");
        return run;
    }

    private static RunLines Second()
    {
        var run = new RunLines("second") { Settings = Settings("1e-3") };
        run.Add(Head(0, "bf16", 200));
        foreach (int step in Enumerable.Range(1, 60))
        {
            run.Add(Step(step, ""));
            if (step == 30)
            {
                run.Add("""{"event":"rollback","step":30,"from_step":35,"loss":9,"limit":4,"times":1}""");
            }
        }

        run.Add("""{"event":"failed","step":60,"message":"the disk is gone"}""");
        return run;
    }

    private static string Head(int step, string type, int steps) =>
        $$"""{"event":"run","step":{{step}},"steps":{{steps}},"model":"micro","data":"text.txt","dtype":"{{type}}","seqlen":256,"""
            + "\"device_bytes\":12000000,\"device_budget_bytes\":16000000,\"host_bytes\":90000000,\"host_budget_bytes\":100000000}";

    private static string Step(int step, string more) =>
        $$"""{"event":"step","step":{{step}},"loss":{{Text(Loss(step))}},"lr":{{Text(0.002 * Math.Min(1, step / 10.0))}},"tok_per_sec":"""
            + $"{1000 + (step % 7)},\"predicted_tok_per_sec\":1100,\"all_tokens\":{step * 1024},\"seconds\":1,\"gradient_norm\":"
            + $"{Text(1 + (1.0 / step))}{more}}}";

    private static double Loss(int step) => 2.5 + (3 * Math.Exp(-step / 20.0)) + (step % 3 * 0.05);

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
