namespace Dataflow.Cli.Tests;

/// <summary>Whatever a user may get wrong ends with 2 and one sentence that says what.</summary>
public class BadInputTests
{
    private const string Budgets = "--device-memory 16MiB --host-memory 64MiB";
    private static readonly GoldenFolder Small = new("llama-small");

    [Theory]
    [InlineData("frobnicate", "is no verb")]
    [InlineData("plan", "<model> is missing")]
    [InlineData("plan nano", "--seqlen is missing")]
    [InlineData("plan --frobnicate", "unknown option --frobnicate")]
    [InlineData("plan nano --seqlen 64 --frobnicate 3", "unknown option --frobnicate")]
    [InlineData("plan nano --seqlen 64 --device-memory", "--device-memory")]
    [InlineData("plan nosuch --seqlen 64", "there is no model nosuch")]
    [InlineData("plan no/such.json --seqlen 64", "no/such.json does not exist")]
    [InlineData("plan nano --seqlen 0", "at least 2")]
    [InlineData("plan nano --seqlen 1", "at least 2")]
    [InlineData("plan nano --seqlen -5", "at least 2")]
    [InlineData("plan nano --seqlen many", "no whole number")]
    [InlineData("plan nano --seqlen 99999999999999999999", "at most")]
    [InlineData("plan nano --seqlen 64 --device-memory -1", "more than 0")]
    [InlineData("plan nano --seqlen 64 --device-memory 0", "more than 0")]
    [InlineData("plan nano --seqlen 64 --device-memory NaN", "no size")]
    [InlineData("plan nano --seqlen 64 --device-memory Infinity", "PiB")]
    [InlineData("plan nano --seqlen 64 --device-memory 2000000", "PiB")]
    [InlineData("plan nano --seqlen 64 --host-memory 24XB", "no size")]
    [InlineData("plan nano --seqlen 64 --dtype fp8", "fp32 or bf16")]
    [InlineData("plan nano --seqlen 64 --save-set most", "attention-no-kv")]
    [InlineData("plan nano --seqlen 64 --global-batch 100", "multiple of seqlen")]
    [InlineData("plan nano --seqlen 64 --global-batch 32", "multiple of seqlen")]
    [InlineData("plan nano --seqlen 64 --chunk 0", "at least 1")]
    [InlineData("plan nano --seqlen 64 --chunk 32 --chunks-per-round 3 --device-memory 1 --host-memory 1", "multiple of 2")]
    [InlineData(
        "plan nano --seqlen 64 --chunk 1048576 --chunks-per-round 1048576 --rounds 1048576 --device-memory 1 --host-memory 1",
        "give smaller ones"
    )]
    [InlineData("show nano --seqlen 64 --ops 5", "range of ops")]
    [InlineData("verify nosuch.txt", "nosuch.txt does not exist")]
    [InlineData("train nano --seqlen 64", "--data")]
    [InlineData("train nano --seqlen 64 --data README.md --tokens README.md", "leave one out")]
    [InlineData("train nano --seqlen 64 --data README.md --steps 0", "at least 1")]
    [InlineData("train nano --seqlen 64 --data README.md --lr NaN", "--lr")]
    [InlineData("train nano --seqlen 64 --data README.md --lr -1", "--lr")]
    [InlineData("train nano --seqlen 64 --data README.md --beta2 1", "--beta2")]
    [InlineData("train nano --seqlen 64 --data README.md --eps 0", "--eps")]
    [InlineData("train nano --seqlen 64 --data README.md --threads 0", "--threads")]
    [InlineData("train nano --seqlen 64 --data README.md --seed -1", "--seed")]
    [InlineData("train nano --seqlen 64 --data README.md --host-memory 900000GiB", "this machine has")]
    [InlineData("train nano --seqlen 64 --data nosuch.txt " + Budgets, "nosuch.txt does not exist")]
    [InlineData("train nano --seqlen 64 --data models " + Budgets, "is a folder")]
    [InlineData("train tests/golden/qwen3-hd128 --seqlen 320 --validation nosuch.txt " + Budgets, "nosuch.txt does not exist")]
    [InlineData("verify models.txt", "models.txt does not exist")]
    [InlineData("train nano --seqlen 64 --data LICENSE/below " + Budgets, "LICENSE/below")]
    [InlineData("train nano --seqlen 8000000 --data README.md " + Budgets, "one row of seqlen 8000000 needs 8000001")]
    [InlineData("gradients nano --seqlen 64 --out x " + Budgets, "no tokens.bin")]
    public void Dataflow_says_what_is_wrong(string arguments, string part) =>
        Assert.Contains(part, Programs.Refused(2, Programs.Dataflow(arguments)), StringComparison.Ordinal);

    [Fact]
    public void Without_a_driver_a_GPU_is_refused_before_anything_is_planned() =>
        Assert.Contains(
            "libcuda.so.1",
            Programs.Refused(1, Programs.Dataflow("train nano --seqlen 64 --data README.md --device cuda")),
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData("0.25 0.03 256", "<model> is missing")]
    [InlineData("0.25 0.03 1 nano --data README.md", "at least 2")]
    [InlineData("-1 0.03 64 nano --data README.md", "more than 0")]
    [InlineData("0.25 NaN 64 nano --data README.md", "no size")]
    [InlineData("0.25 0.03 64 nano --data nosuch", "nosuch does not exist")]
    [InlineData("0.25 0.03 64 nosuch", "there is no model nosuch")]
    [InlineData("0.25 0.03 64 nano --frobnicate", "unknown option --frobnicate")]
    [InlineData("0.25 0.03 64 nano extra", "extra")]
    public void The_demo_says_what_is_wrong(string arguments, string part) =>
        Assert.Contains(part, Programs.Refused(2, Programs.Demo(arguments)), StringComparison.Ordinal);

    [Theory]
    [InlineData("{ \"name\": ", "is not valid JSON")]
    [InlineData("[]", "a JSON object was expected")]
    [InlineData("{ \"model_dim\": 64, \"n_layers\": 2, \"n_experts\": 8 }", "mixture of experts")]
    [InlineData("{ \"model_dim\": 64, \"n_layers\": -2 }", "n_layers")]
    public void A_config_that_cannot_be_used_is_refused(string json, string part)
    {
        using var scratch = new ScratchFolder();
        File.WriteAllText(scratch.File("m.json"), json);
        Assert.Contains(
            part,
            Programs.Refused(2, Programs.Dataflow($"plan {scratch.File("m.json")} --seqlen 64")),
            StringComparison.Ordinal
        );
        Assert.Contains(part, Programs.Refused(2, Programs.Demo($"1 1 64 {scratch.File("m.json")}")), StringComparison.Ordinal);
    }

    [Fact]
    public void Data_that_does_not_fit_the_model_is_refused()
    {
        using var scratch = new ScratchFolder();
        File.WriteAllText(scratch.File("short"), "too short");
        Assert.Contains(
            "one row of seqlen 64 needs 65",
            Refused($"train nano --seqlen 64 --data {scratch.File("short")}"),
            StringComparison.Ordinal
        );
        File.WriteAllBytes(scratch.File("ids.bin"), [.. Enumerable.Range(0, 65).SelectMany(i => BitConverter.GetBytes(i == 40 ? 256 : i))]);
        Assert.Contains(
            "token 40 has id 256",
            Refused($"train nano --seqlen 64 --tokens {scratch.File("ids.bin")}"),
            StringComparison.Ordinal
        );
        File.WriteAllBytes(scratch.File("latin1"), [.. Enumerable.Repeat((byte)0xE9, 100)]);
        Assert.Contains("not UTF-8", Refused($"train nano --seqlen 64 --data {scratch.File("latin1")}"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_whose_weights_do_not_fit_is_refused()
    {
        using var scratch = new ScratchFolder();
        string Weights() => scratch.File("model.safetensors");
        File.Copy(Small.FileOf("config.json"), scratch.File("config.json"));
        File.Copy(Small.FileOf("tokens.bin"), scratch.File("tokens.bin"));
        string train = $"train {scratch.Path} --seqlen {Small.Seqlen}";
        Assert.Contains("holds neither model.safetensors", Refused(train), StringComparison.Ordinal);

        File.WriteAllBytes(Weights(), File.ReadAllBytes(Small.FileOf("model.safetensors"))[..^100]);
        Refused(train);
        File.WriteAllText(Weights(), "not a checkpoint");
        Refused(train);
        File.Copy(new GoldenFolder("llama-documents").FileOf("model.safetensors"), Weights(), overwrite: true);
        Assert.Contains("instead of [", Refused(train), StringComparison.Ordinal);

        byte[] poisoned = File.ReadAllBytes(Small.FileOf("model.safetensors"));
        BitConverter.TryWriteBytes(poisoned.AsSpan(poisoned.Length - 4), float.NaN);
        File.WriteAllBytes(Weights(), poisoned);
        string gradients = Refused($"gradients {scratch.Path} --seqlen {Small.Seqlen} --out {scratch.File("g")}");
        Assert.Contains("weights as they were loaded", gradients, StringComparison.Ordinal);
        Assert.Contains(", as it was before the step", gradients, StringComparison.Ordinal);
        Assert.False(File.Exists(scratch.File("g")));

        // With a clip the step names the weight that it read, without one the file says it.
        Assert.Contains("NaN in the weight ", Refused($"{train} --clip 1"), StringComparison.Ordinal);
        Assert.Contains(", as it was loaded", Refused(train), StringComparison.Ordinal);
    }

    private static string Refused(string arguments) => Programs.Refused(2, Programs.Dataflow($"{arguments} {Budgets}"));
}
