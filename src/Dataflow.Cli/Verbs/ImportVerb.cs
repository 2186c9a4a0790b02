using System.CommandLine;
using Dataflow.Formats;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>dataflow import: a GGUF file as a folder that every verb takes.</summary>
internal static class ImportVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow import SmolLM2-135M-Instruct.Q4_1.gguf --out smollm2",
        "dataflow import llama-00001-of-00003.gguf --out llama --dtype BF16",
    ];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "import",
            "Makes a Hugging Face folder of a GGUF file: config, weights, tokenizer and chat template. Any part of a model "
                + "in several files stands for all."
        );
        var file = Declare.Argument("file", "the GGUF file", Values.FilePath);
        var folder = Declare.Option<string?>("--out", "DIR", "the folder, made if need be", Values.FilePath);
        var type = Declare.Option<StoredType?>(
            "--dtype", "TYPE", "of all numbers: F32, BF16 or F16 [default: as in the file, F32 of what is quantised: exact]",
            t => Plain(t));
        var overwrite = Declare.Flag("--overwrite", "replace a model that the folder holds already");
        var json = Declare.Flag("--json", "print one JSON object");
        command.Arguments.Add(file);
        foreach (var option in new Option[] { folder, type, overwrite, json })
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed =>
        {
            string to = parsed.GetValue(folder) ?? throw new UserErrorException("where to is not said; give --out and a folder");
            var made = ModelConversion.Import(
                parsed.GetRequiredValue(file), to, new GgufImportOptions
                {
                    Type = parsed.GetValue(type), Overwrite = parsed.GetValue(overwrite),
                });
            return (int)ConversionReport.Print(made, to, parsed.GetValue(json));
        });
        return command;
    }

    private static StoredType Plain(string text) => Values.ExportedType(text) switch
    {
        GgufType.F32 => StoredType.F32,
        GgufType.BF16 => StoredType.BF16,
        GgufType.F16 => StoredType.F16,
        var quantised => throw new UserErrorException($"{quantised} is no type of folders; choose F32, BF16 or F16"),
    };
}
