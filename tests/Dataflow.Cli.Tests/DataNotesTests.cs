using System.Text.Json;

namespace Dataflow.Cli.Tests;

/// <summary>What is read all the same, but not as its owner may expect, is said in a sentence; what would be nonsense is refused.</summary>
[Trait("Slow", "true")]
public class DataNotesTests
{
    private const string Model = """
        {"model_type": "llama", "vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 64,
         "hidden_act": "swish", "attention_dropout": 0.1, "max_position_embeddings": 32, "logits_scaling": 8.0, "unheard_of": 1}
        """;

    private const string Budgets = "--device-memory 8MiB --host-memory 64MiB --steps 1";

    private const string Beyond =
        "sequences of 64 tokens go beyond the 32 of the model's max_position_embeddings: it has never seen such positions";

    private static string[] Notes(string output) =>
        [.. output.Split('\n').Where(l => l.StartsWith("Note: ", StringComparison.Ordinal)).Select(l => l["Note: ".Length..])];

    private static string[] Events(string output, string kind, string field) =>
        [
            .. output
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(l => JsonDocument.Parse(l).RootElement)
                .Where(e => e.GetProperty("event").GetString() == kind && e.TryGetProperty(field, out _))
                .Select(e => e.GetProperty(field).ToString()),
        ];

    [Fact]
    public void Leftovers_repeated_batches_and_what_is_validated_are_said()
    {
        using var scratch = new ScratchFolder();
        string text = scratch.File("text"), held = scratch.File("held");
        File.WriteAllText(text, new string('a', 200));
        File.WriteAllText(held, new string('b', 100));
        string[] expected =
        [
            $"the last 5 bytes of {text} do not fill a row of 65 and are not used",
            $"every step sees the same batch: {text} has 3 rows and a step takes 4, some more than once",
        ];
        string run = $"train nano --seqlen 64 {Budgets} --data {text} --global-batch 256 --validation {held}";
        string lines = Programs.Good(Programs.Dataflow(run));
        Assert.Equal(expected, Notes(lines));
        Assert.Contains(
            $"Validation: every 10 steps and after the last, all of {held}, 2 rows of 64 bytes: 1 evaluation step",
            lines,
            StringComparison.Ordinal
        );
        Assert.Matches(@"validation \d\.\d{4} in \d+\.\d s", lines);
        string events = Programs.Good(Programs.Dataflow($"{run} --json"));
        Assert.Equal(
            expected,
            JsonDocument.Parse(Assert.Single(Events(events, "step", "notes"))).RootElement.EnumerateArray().Select(n => n.GetString())
        );
        Assert.Contains(held, Assert.Single(Events(events, "step", "validation")), StringComparison.Ordinal);
        Assert.Single(Events(events, "step", "validation_seconds"));
    }

    [Fact]
    public void What_a_config_asks_for_in_vain_is_said_once()
    {
        using var scratch = new ScratchFolder();
        string model = scratch.File("model.json"), text = scratch.File("text");
        File.WriteAllText(model, Model);
        File.WriteAllText(text, new string('a', 65 * 40));
        string unread = $"note: {model}: keys that no llama model has are not read: logits_scaling, unheard_of\n";
        var trained = Programs.DataflowProcess($"train {model} --seqlen 64 {Budgets} --global-batch 128 --data {text}");
        Assert.Equal((0, unread), (trained.Status, trained.Errors));
        Assert.Equal(
            [
                $"{model}: attention_dropout is 0.1, and training is without dropout",
                Beyond,
                $"the bytes of {text} are its ids, 256 of the 300 that the model has; name a tokenizer's folder with --tokenizer to use "
                    + $"more",
            ],
            Notes(trained.Output));
        var planned = Programs.DataflowProcess($"plan {model} --seqlen 64 --device-memory 8MiB --host-memory 64MiB --global-batch 128");
        Assert.Equal((0, $"{unread}note: {Beyond}\n"), (planned.Status, planned.Errors));
    }

    [Fact]
    public void A_text_for_a_model_with_a_tokenizer_is_never_read_as_bytes()
    {
        using var scratch = new ScratchFolder();
        Directory.CreateDirectory(scratch.File("model"));
        File.WriteAllText(
            scratch.File("model/config.json"),
            Model.Replace(", \"logits_scaling\": 8.0, \"unheard_of\": 1", "", StringComparison.Ordinal)
        );
        File.WriteAllText(scratch.File("model/tokenizer.json"), "{}");
        string run = $"train {scratch.File("model")} --seqlen 64 {Budgets} --data README.md";
        Assert.Equal(
            $"error: {scratch.File("model/tokenizer.json")}: model is missing\n",
            Programs.Refused(2, Programs.Dataflow(run)));
        File.WriteAllText(scratch.File("model/hf_quant_config.json"), "{}");
        Assert.Contains(
            "hf_quant_config.json beside it says that the weights are quantised",
            Programs.Refused(2, Programs.Dataflow(run)),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Ids_that_may_be_another_tokenizers_are_said()
    {
        using var scratch = new ScratchFolder();
        Directory.CreateDirectory(scratch.File("other"));
        File.WriteAllText(scratch.File("other/config.json"), Model.Replace("300", "5000", StringComparison.Ordinal));
        string ids = scratch.File("other/tokens.bin");
        File.WriteAllBytes(ids, [.. Enumerable.Range(0, 65 * 300).SelectMany(i => BitConverter.GetBytes(i % 900))]);
        File.WriteAllText(
            scratch.File("model.json"),
            Model
                .Replace("300", "1900", StringComparison.Ordinal)
                .Replace(", \"logits_scaling\": 8.0, \"unheard_of\": 1", "", StringComparison.Ordinal)
        );
        string output = Programs.Good(
            Programs.Dataflow($"train {scratch.File("model.json")} --seqlen 32 {Budgets} --global-batch 64 --tokens {ids}")
        );
        Assert.Contains($"the largest id of {ids} is 899 and the model has 1,900: the ids may be another tokenizer's", Notes(output));
        Assert.Contains(
            $"{ids} lies beside the config of a model with 5,000 ids and this one has 1,900: the ids may be another tokenizer's",
            Notes(output)
        );
    }

    /// <summary>Nothing is learnt at a rate of 0, so both measure the same weights.</summary>
    [Fact]
    public void The_validation_loss_does_not_depend_on_the_batch()
    {
        string Loss(string more) =>
            Assert.Single(
                Events(
                    Programs.Good(
                        Programs.Dataflow(
                            $"train nano --seqlen 64 --host-memory 64MiB --steps 1 --lr 0 --data README.md --validation LICENSE --json "
                                + $"{more}"
                        )
                    ),
                    "step",
                    "validation_loss"
                )
            );
        double one = double.Parse(Loss("--device-memory 4MiB --global-batch 64")),
            many = double.Parse(Loss("--device-memory 16MiB --global-batch 16384"));
        Assert.Equal(one, many, 1e-6);
    }
}
