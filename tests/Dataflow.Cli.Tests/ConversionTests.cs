using System.Text.Json;
using Dataflow.Formats;

namespace Dataflow.Cli.Tests;

/// <summary>dataflow export and dataflow import, as a user runs them.</summary>
public class ConversionTests
{
    private const string Train = "--seqlen 64 --device-memory 8MiB --host-memory 64MiB --data README.md --global-batch 128 --lr 1e-3";

    [Fact]
    public void A_folder_becomes_a_file_and_comes_back()
    {
        using var scratch = new ScratchFolder();
        var golden = new GoldenFolder("llama-small");
        string file = scratch.File("m.gguf"), back = scratch.File("back");
        var outcome = Programs.Good(Programs.Dataflow($"export {golden.Path} --out {file} --json"));
        using var made = JsonDocument.Parse(outcome);
        Assert.Equal(new FileInfo(file).Length, made.RootElement.GetProperty("bytes").GetInt64());
        Assert.Equal("llama-small", made.RootElement.GetProperty("model").GetString());
        Assert.Contains(back, Programs.Good(Programs.Dataflow($"import {file} --out {back}")), StringComparison.Ordinal);
        Assert.Equal(0, GoldenFolder.Difference(
            GoldenFolder.Tensors(Path.Combine(back, "model.safetensors")), GoldenFolder.Tensors(golden.FileOf("model.safetensors"))));
        foreach (string again in new[] { $"import {file} --out {back}", $"export {golden.Path} --out {file}" })
        {
            Assert.Contains("--overwrite", Programs.Refused(2, Programs.Dataflow(again)), StringComparison.Ordinal);
        }

        Programs.Good(Programs.Dataflow($"export {back} --out {file} --dtype q8_0 --overwrite"));
        Programs.Good(Programs.Dataflow($"export {back} --out {scratch.File("shards")} --dtype BF16 --shard-size 64KiB"));
        Assert.True(File.Exists(scratch.File("shards/model.safetensors.index.json")));
    }

    [Fact]
    public void Any_checkpoint_of_a_run_can_be_exported()
    {
        using var scratch = new ScratchFolder();
        string model = scratch.File("small"), run = scratch.File("run");
        Directory.CreateDirectory(model);
        foreach (string name in new[] { "config.json", "model.safetensors" })
        {
            File.Copy(new GoldenFolder("llama-small").FileOf(name), Path.Combine(model, name));
        }

        Programs.Good(Programs.Dataflow(
            $"train {model} {Train} --dtype bf16-master --steps 2 --checkpoint {run} --checkpoint-every 1 --keep 2 "
                + $"--export {scratch.File("whole")}"));
        Programs.Good(Programs.Dataflow($"export {run} --out {scratch.File("newest.gguf")} --dtype F32"));
        Programs.Good(Programs.Dataflow($"export {run}/step-00000001 --out {scratch.File("first.gguf")} --dtype F32"));
        Programs.Good(Programs.Dataflow($"export {run} --out {scratch.File("folder")}"));
        Programs.Good(Programs.Dataflow($"import {scratch.File("newest.gguf")} --out {scratch.File("newest")}"));
        Programs.Good(Programs.Dataflow($"import {scratch.File("first.gguf")} --out {scratch.File("first")}"));
        Dictionary<string, float[]> Of(string folder) => GoldenFolder.Tensors(scratch.File($"{folder}/model.safetensors"));

        // A folder of the newest is what the run itself exports at its end; the file has the master weights too.
        Assert.Equal(0, GoldenFolder.Difference(Of("folder"), Of("whole")));
        Assert.Equal(0, GoldenFolder.Difference(Of("newest"), Of("whole")));
        Assert.NotEqual(0, GoldenFolder.Difference(Of("newest"), Of("first")));
        using var file = GgufFile.Open(scratch.File("newest.gguf"));
        Assert.Equal("small", file.Metadata.Text("general.name"));
        Assert.Contains(
            "reads from", Programs.Refused(2, Programs.Dataflow($"export {run} --out {model} --overwrite")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("export none --out m.gguf", "none does not exist")]
    [InlineData("export tests/golden/llama-small", "--out")]
    [InlineData("export tests/golden/llama-small --out m.gguf --dtype Q3", "'Q3' is no type")]
    [InlineData("export tests/golden/llama-small --out folder --dtype Q4_0", "give --out FILE.gguf")]
    [InlineData("export tests/golden/llama-small --out m.gguf --shard-size 1GB", "--shard-size")]
    [InlineData("export tests/golden-families/gpt2 --out m.gguf", "gpt2")]
    [InlineData("import README.md --out folder", "is not a GGUF file")]
    [InlineData("import none.gguf --out folder", "none.gguf does not exist")]
    [InlineData("import README.md", "--out")]
    public void What_cannot_be_done_is_said_in_a_sentence(string arguments, string why) =>
        Assert.Contains(why, Programs.Refused(2, Programs.Dataflow(arguments)), StringComparison.Ordinal);
}
