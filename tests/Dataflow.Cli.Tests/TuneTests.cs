using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow tune: which algorithms the products of a plan have is measured once and stored.</summary>
[Trait("Slow", "true")]
public class TuneTests
{
    private const string Plan = "nano --seqlen 32 --global-batch 64 --chunk 32 --dtype bf16 --host-memory 64MiB --device-memory 400MiB";

    [Fact]
    public void The_products_of_a_plan_are_measured_once_and_those_of_the_next_are_added()
    {
        using var scratch = new ScratchFolder();
        string file = scratch.File("new/choices.json");
        string Run(string more)
        {
            var outcome = Programs.Dataflow($"tune {Plan} --device cuda-emulated --out {file} {more}");
            Assert.True(outcome.Status == 0, outcome.Errors);
            return outcome.Output;
        }

        JsonElement Tune(string more) => JsonDocument.Parse(Run($"--json {more}")).RootElement;
        var first = Tune("");
        int all = first.GetProperty("products").EnumerateObject().Count();
        Assert.Equal((all, file), (first.GetProperty("measured").GetInt32(), first.GetProperty("file").GetString()));
        string stored = File.ReadAllText(file);
        Assert.Equal(0, Tune("").GetProperty("measured").GetInt32());
        Assert.Equal(stored, File.ReadAllText(file));
        int added = Tune("--vocabulary-blocks 2").GetProperty("measured").GetInt32();
        Assert.InRange(added, 1, all);
        Assert.Equal(all, Tune("--again").GetProperty("measured").GetInt32());
        Assert.Contains($"{all + added} for ", Run(""), StringComparison.Ordinal);
    }

    [Fact]
    public void Where_there_is_nothing_to_measure_it_says_so()
    {
        using var scratch = new ScratchFolder();
        Assert.Contains(
            "give --device cuda",
            Programs.Refused(2, Programs.Dataflow($"tune {Plan} --device cpu")),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "the times of the emulated driver say nothing about a GPU; give --out",
            Programs.Refused(2, Programs.Dataflow($"tune {Plan} --device cuda-emulated")),
            StringComparison.Ordinal
        );
        string file = scratch.File("other.json");
        File.WriteAllText(file, "{\"gpu\": \"Another\", \"cublaslt\": \"13.0.1\", \"products\": {}}");
        Assert.Contains(
            "is of Another with cuBLASLt 13.0.1",
            Programs.Refused(2, Programs.Dataflow($"tune {Plan} --device cuda-emulated --out {file}")),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_checkpoint_says_what_decided_its_products_and_another_decision_is_a_change()
    {
        using var scratch = new ScratchFolder();
        string saved = scratch.File("saved");
        Programs.Good(
            Programs.Dataflow($"train {Plan} --device cuda-emulated --data README.md --steps 1 --checkpoint {saved} --policy simple --json")
        );
        string state = File.ReadAllText(Path.Combine(saved, "step-00000001", "state.json"));
        Assert.Matches("\"products\": ?\"[^\"]*, cuBLASLt [0-9.]+\"", state);
        Assert.Contains(
            new SettingChange("products", "NVIDIA X, cuBLASLt 1.2.3", "NVIDIA X, cuBLASLt 1.2.3, choices 00112233"),
            SavedSettings.Changes(
                new Dictionary<string, string> { [SavedSettings.Products] = "NVIDIA X, cuBLASLt 1.2.3" },
                new Dictionary<string, string> { [SavedSettings.Products] = "NVIDIA X, cuBLASLt 1.2.3, choices 00112233" }
            )
        );
    }
}
