using Dataflow.Formats;
using Dataflow.Training;

namespace Dataflow.Pretrained.Tests;

/// <summary>
/// The model under test: that of the folder, or the GGUF file, that DATAFLOW_PRETRAINED names, with the references in its folder
/// `reference`; else a small one that is trained here for a moment, whose references are what the engine computes at its ease.
/// </summary>
public sealed class PretrainedModel : IDisposable
{
    private const string Variable = "DATAFLOW_PRETRAINED";
    private readonly DirectoryInfo scratch = Directory.CreateTempSubdirectory("dataflow-pretrained-");

    /// <summary>Finds or makes it.</summary>
    public PretrainedModel()
    {
        string? named = Environment.GetEnvironmentVariable(Variable);
        IsGiven = named is not null;
        Safetensors = Path.Combine(scratch.FullName, "folder");
        Gguf = Path.Combine(scratch.FullName, "model.gguf");
        if (named is null)
        {
            DemoModel.Make(Safetensors);
            ModelConversion.Export(new ExportRequest { Source = Safetensors, Destination = Gguf, Type = GgufType.F32 });
            FromGguf = Import(Gguf, "imported", null);
            Reference = new Lazy<Reference>(() => DemoModel.Measure(new Engine(Safetensors, tight: false)));
            return;
        }

        string home = File.Exists(named) ? Path.GetDirectoryName(Path.GetFullPath(named))! : named;
        string[] files = File.Exists(named) ? [named] : Directory.GetFiles(home, "*.gguf");
        bool hasWeights = new[] { Checkpoint.FileName, Checkpoint.IndexName }.Any(f => File.Exists(Path.Combine(home, f)));
        if (files.Length == 0 && !hasWeights)
        {
            throw new InvalidOperationException($"{named}, which {Variable} names, has neither safetensors nor a GGUF file");
        }

        FromGguf = files.Length > 0 ? Import(files[0], "imported", StoredType.BF16) : home;
        Safetensors = hasWeights ? home : FromGguf;
        string reference = Environment.GetEnvironmentVariable("DATAFLOW_PRETRAINED_REFERENCE") ?? Path.Combine(home, "reference");
        Reference = new Lazy<Reference>(() => Tests.Reference.Read(reference));
    }

    /// <summary>It was named, and is not the small one.</summary>
    public bool IsGiven { get; }

    /// <summary>Its folder.</summary>
    public string Safetensors { get; }

    /// <summary>The same as a GGUF file gives it.</summary>
    public string FromGguf { get; }

    /// <summary>What it computes.</summary>
    internal Lazy<Reference> Reference { get; }

    private string Gguf { get; }

    /// <summary>A path for what a test makes.</summary>
    public string Scratch(string name) => Path.Combine(scratch.FullName, name);

    /// <summary>The engine on a source, "safetensors" or "gguf", within roomy budgets or the smallest.</summary>
    internal Engine Engine(string source, bool tight) => new(source == "gguf" ? FromGguf : Safetensors, tight);

    /// <inheritdoc/>
    public void Dispose() => scratch.Delete(recursive: true);

    private string Import(string file, string name, StoredType? type)
    {
        string folder = Path.Combine(scratch.FullName, name);
        ModelConversion.Import(file, folder, new GgufImportOptions { Type = type });
        return folder;
    }
}
