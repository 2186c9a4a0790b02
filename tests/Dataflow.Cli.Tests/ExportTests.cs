namespace Dataflow.Cli.Tests;

/// <summary>Weights and gradients appear whole under their names or not at all.</summary>
public class ExportTests
{
    private const string Nano = "train nano --seqlen 64 --device-memory 8MiB --host-memory 64MiB --data README.md --global-batch 128";

    [Fact]
    public void An_impossible_folder_is_refused_before_training()
    {
        using var scratch = new ScratchFolder();
        File.WriteAllText(scratch.File("file"), "");
        var outcome = Programs.Dataflow($"{Nano} --steps 1000000 --export {scratch.File("file/below")}");
        Assert.Contains("cannot be written", Programs.Refused(2, outcome), StringComparison.Ordinal);
        Assert.DoesNotContain("step 1/", outcome.Output, StringComparison.Ordinal);
        var golden = new GoldenFolder("llama-small");
        Programs.Refused(2, Programs.Dataflow($"gradients {golden.Path} --seqlen {golden.Seqlen} --out {scratch.File("none/g")}"));
    }

    [Fact]
    public void A_full_disk_leaves_nothing_half_written_and_an_older_file_whole()
    {
        using var scratch = new ScratchFolder();
        Directory.CreateDirectory(scratch.File("out"));
        File.WriteAllText(scratch.File("out/model.safetensors"), "older");

        // The runtime maps its code through a file unless told otherwise. No other file may grow beyond 1,024 blocks of 512 bytes (or of 1,024, as the shell counts); the model takes 4 MB.
        var outcome = Programs.Run("sh", ["-c", $"ulimit -f 1024; exec bin/dataflow {Nano} --steps 1 --export {scratch.File("out")}"],
            environment: new Dictionary<string, string?> { ["DOTNET_EnableWriteXorExecute"] = "0" });
        Assert.NotEqual(0, outcome.Status);
        Programs.Refused(outcome.Status, outcome);
        Assert.Equal("older", File.ReadAllText(scratch.File("out/model.safetensors")));
        Assert.Equal(["model.safetensors"], Directory.GetFileSystemEntries(scratch.File("out")).Select(Path.GetFileName));
    }
}
