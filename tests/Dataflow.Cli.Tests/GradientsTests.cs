namespace Dataflow.Cli.Tests;

/// <summary>dataflow gradients against PyTorch's, in float64.</summary>
[Trait("Slow", "true")]
public class GradientsTests
{
    private const double Tolerance = 1e-5;

    private static string Run(GoldenFolder golden, string options, string output) => Programs.Good(Programs.Dataflow(
        $"gradients {golden.Path} --seqlen {golden.Seqlen} --host-memory 64MiB {options} --out {output}"));

    [Theory]
    [InlineData("llama-small", "--chunk 32")]
    [InlineData("llama-long", "--chunk 256 --save-set attention")]
    [InlineData("llama-documents", "--chunk 48 --save-set input")]
    [InlineData("qwen3-small", "--chunk 96 --chunks-per-round 1 --rounds 2")]
    public void Loss_and_gradients_are_those_of_PyTorch(string name, string options)
    {
        using var scratch = new ScratchFolder();
        var golden = new GoldenFolder(name);
        string line = Run(golden, $"--device-memory 64MiB {options}", scratch.File("g.safetensors"));
        Assert.StartsWith("loss ", line, StringComparison.Ordinal);
        Assert.InRange(double.Parse(line[5..]), golden.Loss * (1 - Tolerance), golden.Loss * (1 + Tolerance));
        double difference = GoldenFolder.Difference(
            GoldenFolder.Tensors(scratch.File("g.safetensors")),
            GoldenFolder.Tensors(golden.FileOf("gradients.safetensors"))
        );
        Assert.InRange(difference, 0, Tolerance);
    }

    [Fact]
    public void The_same_geometry_gives_the_same_bytes_whatever_the_budget_the_save_set_and_the_order_of_ops()
    {
        using var scratch = new ScratchFolder();
        var golden = new GoldenFolder("llama-small");
        const string geometry = "--chunk 32 --chunks-per-round 4 --rounds 2";
        string[] ways =
        [
            "--device-memory 64MiB",
            "--device-memory 1MiB",
            "--device-memory 1MiB --interleaving 7",
            "--device-memory 64MiB --save-set query,gateup --threads 1",
        ];
        var files = ways.Select(
                (way, i) => (Line: Run(golden, $"{geometry} {way}", scratch.File($"{i}")), Bytes: File.ReadAllBytes(scratch.File($"{i}")))
            )
            .ToList();
        Assert.All(files, f => Assert.Equal(files[0].Line, f.Line));
        Assert.All(files, f => Assert.True(files[0].Bytes.AsSpan().SequenceEqual(f.Bytes)));
    }

    [Theory]
    [InlineData("fp32")]
    [InlineData("bf16")]
    [InlineData("bf16-sr")]
    [InlineData("bf16-master")]
    public void Gradients_of_every_recipe_are_close_and_carry_the_loss_as_metadata(string recipe)
    {
        using var scratch = new ScratchFolder();
        var golden = new GoldenFolder("llama-hd64");
        string line = Run(golden, $"--device-memory 64MiB --dtype {recipe}", scratch.File("g"));
        using var file = Dataflow.Training.SafetensorsFile.Open(scratch.File("g"));
        Assert.Equal(line[5..].Trim(), file.Metadata["loss"]);
        Assert.InRange(double.Parse(line[5..]), golden.Loss * 0.99, golden.Loss * 1.01);
        Assert.InRange(
            GoldenFolder.Difference(GoldenFolder.Tensors(scratch.File("g")), GoldenFolder.Tensors(golden.FileOf("gradients.safetensors"))),
            0,
            recipe == "fp32" ? Tolerance : 0.05
        );
    }
}
