using System.CommandLine;
using Dataflow.Formats;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>dataflow export: a model, or what a run has saved of one, as a GGUF file or a folder.</summary>
internal static class ExportVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow export run-folder --out tuned.gguf --dtype Q8_0",
        "dataflow export hf:Qwen/Qwen3-0.6B --out qwen3.gguf",
        "dataflow export hf:Qwen/Qwen3-0.6B --adapter tuned --merge --out merged",
        "dataflow export run-folder/step-00000100 --out tuned --dtype BF16 --shard-size 2GB",
    ];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "export",
            "Writes a model as a GGUF file, with tokenizer and chat template inside, or as a Hugging Face folder. Of a run the newest good "
                + "checkpoint is taken, also while the run goes on."
        );
        var source = Declare.Argument(
            "model", "a folder with weights, hf:owner/name, or a run's folder of checkpoints or one of these", Values.FilePath);
        var destination = Declare.Option<string?>("--out", "PATH", "FILE.gguf, or a folder", Values.FilePath);
        var type = Declare.Option<GgufType?>(
            "--dtype", "TYPE", "of matrices: F32, F16 or BF16; of a GGUF file also Q8_0 or Q4_0 [default: as in the model]",
            t => Values.ExportedType(t));
        var shard = Declare.Option<Bytes?>(
            "--shard-size", "SIZE", "most bytes of a file of a folder; a larger model has several and an index [default: 5 GB]",
            t => Values.Size(t));
        var adapter = Declare.Option<string?>(
            "--adapter", "DIR", "the folder of an adapter to the model, as PEFT or a run with an adapter has written it", Values.FilePath);
        var merge = Declare.Flag(
            "--merge", "write the model with the adapter in its weights; without it the adapter's own folder is written");
        var stored = AdapterFlags.StoredOption(
            "with --merge: what the layers' matrices were stored in when the adapter was trained; their numbers as they are read from it "
                + "are merged [default: as the run says]");
        var overwrite = Declare.Flag("--overwrite", "replace a model that is there already");
        var json = Declare.Flag("--json", "print one JSON object");
        command.Arguments.Add(source);
        foreach (var option in new Option[] { destination, type, shard, adapter, merge, stored, overwrite, json })
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed =>
        {
            string to = parsed.GetValue(destination)
                ?? throw new UserErrorException("where to is not said; give --out FILE.gguf, or --out and a folder");
            var made = ModelConversion.Export(new ExportRequest
            {
                Source = parsed.GetRequiredValue(source),
                Destination = to,
                Type = parsed.GetValue(type),
                Shard = parsed.GetValue(shard),
                Adapter = parsed.GetValue(adapter),
                Merge = parsed.GetValue(merge),
                BaseWeights = parsed.GetValue(stored),
                Overwrite = parsed.GetValue(overwrite),
            });
            return (int)ConversionReport.Print(made, to, parsed.GetValue(json));
        });
        return command;
    }
}
