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
        Directory.CreateDirectory(scratch.File("taken/config.json"));
        outcome = Programs.Dataflow($"{Nano} --steps 1 --export {scratch.File("taken")}");
        Assert.Contains("config.json cannot be written: it is a folder", Programs.Refused(2, outcome), StringComparison.Ordinal);
        Assert.Equal(["config.json"], Directory.GetFileSystemEntries(scratch.File("taken")).Select(Path.GetFileName));
        var golden = new GoldenFolder("llama-small");
        Programs.Refused(2, Programs.Dataflow($"gradients {golden.Path} --seqlen {golden.Seqlen} --out {scratch.File("none/g")}"));
    }

    [Fact]
    public void A_pipe_is_neither_replaced_nor_waited_for()
    {
        using var scratch = new ScratchFolder();
        var golden = new GoldenFolder("llama-small");
        string pipe = scratch.File("pipe");
        Assert.Equal(0, Programs.Run("mkfifo", [pipe]).Status);
        var outcome = Programs.Dataflow(
            $"gradients {golden.Path} --seqlen {golden.Seqlen} --device-memory 2MiB --host-memory 16MiB --out {pipe}"
        );
        Assert.Contains("it is a device or a pipe", Programs.Refused(2, outcome), StringComparison.Ordinal);
        Assert.Contains("not a regular file", Programs.Refused(2, Programs.Dataflow($"plan {pipe} --seqlen 64")), StringComparison.Ordinal);
        Assert.Contains(
            "not a regular file",
            Programs.Refused(2, Programs.Dataflow(Nano.Replace("README.md", pipe, StringComparison.Ordinal))),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_full_disk_leaves_nothing_half_written_and_an_older_file_whole()
    {
        using var scratch = new ScratchFolder();
        Directory.CreateDirectory(scratch.File("out"));
        File.WriteAllText(scratch.File("out/model.safetensors"), "older");

        // The runtime maps its code through a file unless told otherwise. No other file may grow beyond 1,024 blocks of 512 bytes (or of
        // 1,024, as the shell counts); the model takes 4 MB.
        var outcome = Programs.Run("sh", ["-c", $"ulimit -f 1024; exec bin/dataflow {Nano} --steps 1 --export {scratch.File("out")}"],
            environment: new Dictionary<string, string?> { ["DOTNET_EnableWriteXorExecute"] = "0" });
        Assert.NotEqual(0, outcome.Status);
        Programs.Refused(outcome.Status, outcome);
        Assert.Equal("older", File.ReadAllText(scratch.File("out/model.safetensors")));
        Assert.Equal(["model.safetensors"], Directory.GetFileSystemEntries(scratch.File("out")).Select(Path.GetFileName));
    }
}
