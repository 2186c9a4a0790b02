using Dataflow.Formats;
using Dataflow.Model;

namespace Dataflow;

/// <summary>What is exported, where to and in what form.</summary>
public sealed record ExportRequest
{
    /// <summary>
    /// A model's folder with weights, hf:owner/name as it was fetched, a run's folder of checkpoints (the newest good one is taken) or one
    /// of its checkpoints.
    /// </summary>
    public required string Source { get; init; }

    /// <summary>NAME.gguf is a GGUF file, all else a folder.</summary>
    public required string Destination { get; init; }

    /// <summary>The type of numbers; null: those of the source. Quantised types are of GGUF files.</summary>
    public GgufType? Type { get; init; }

    /// <summary>Of a folder: most bytes of tensors in a file; null: 5 GB.</summary>
    public Bytes? Shard { get; init; }

    /// <summary>An adapter's folder, for a model that has none of its own; null: none.</summary>
    public string? Adapter { get; init; }

    /// <summary>The adapter goes into the model's weights: what is written needs none. Else an adapter's folder is written.</summary>
    public bool Merge { get; init; }

    /// <summary>
    /// What the adapter was trained on, which is merged: the matrices' numbers as they are read from that type. Null: those of the model's
    /// files; of a run that has trained an adapter, what it was trained on.
    /// </summary>
    public DType? BaseWeights { get; init; }

    /// <summary>What is there already may be replaced.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Whether it is to be a GGUF file.</summary>
    public bool IsGguf => Destination.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase);
}
