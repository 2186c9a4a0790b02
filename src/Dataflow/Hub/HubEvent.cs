using Dataflow.Model;

namespace Dataflow;

/// <summary>What happens while a model is fetched. Events come one at a time, from several threads.</summary>
public abstract record HubEvent
{
    private HubEvent()
    {
    }

    /// <summary>It is known what there is to fetch.</summary>
    /// <param name="Commit">What the revision stands for.</param>
    /// <param name="Files">How many files the model has.</param>
    /// <param name="Length">Bytes of all of them.</param>
    /// <param name="Missing">Of these, bytes that have to be fetched.</param>
    public sealed record Listed(string Commit, int Files, Bytes Length, Bytes Missing) : HubEvent;

    /// <summary>Bytes came.</summary>
    /// <param name="Done">Fetched so far. It falls where a file has to be begun anew.</param>
    /// <param name="Missing">What had to be fetched at the beginning.</param>
    public sealed record Progressed(Bytes Done, Bytes Missing) : HubEvent;

    /// <summary>A file is in the cache, whole and checked.</summary>
    /// <param name="File">Its path in the repository.</param>
    /// <param name="Length">Its bytes.</param>
    public sealed record Fetched(string File, Bytes Length) : HubEvent;

    /// <summary>Another program is fetching a file, and is waited for.</summary>
    /// <param name="File">Its path in the repository.</param>
    public sealed record Held(string File) : HubEvent;

    /// <summary>A request failed and will be made again.</summary>
    /// <param name="What">What was asked for.</param>
    /// <param name="Why">How it failed.</param>
    /// <param name="Wait">Until it is made again.</param>
    public sealed record Retrying(string What, string Why, TimeSpan Wait) : HubEvent;
}
