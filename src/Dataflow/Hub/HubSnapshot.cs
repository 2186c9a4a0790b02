using Dataflow.Model;

namespace Dataflow;

/// <summary>A model of the hub that lies complete in the user's cache.</summary>
public sealed record HubSnapshot
{
    /// <summary>"owner/name".</summary>
    public required string Repository { get; init; }

    /// <summary>What the revision stands for, 40 digits.</summary>
    public required string Commit { get; init; }

    /// <summary>The folder of its files, links to blobs as a rule; it opens as a model's folder.</summary>
    public required string Folder { get; init; }

    /// <summary>How many files it has of those that training can use.</summary>
    public required int Files { get; init; }

    /// <summary>Bytes of these.</summary>
    public required Bytes Length { get; init; }

    /// <summary>How many files were fetched now.</summary>
    public int FetchedFiles { get; init; }

    /// <summary>Bytes that were fetched now.</summary>
    public Bytes Fetched { get; init; }

    /// <summary>Why the hub was not asked, or that it did not answer; null where it did.</summary>
    public string? Note { get; init; }
}
