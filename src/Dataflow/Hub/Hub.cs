using Dataflow.Model;

namespace Dataflow;

/// <summary>
/// Models of the Hugging Face hub: fetched into the user's cache, which other programs share, and found there under their names.
/// </summary>
public static class Hub
{
    /// <summary>
    /// What the name of a model of the hub begins with wherever a model is named: hf:owner/name, or hf:owner/name@revision.
    /// </summary>
    public const string Prefix = "hf:";

    /// <summary>
    /// Fetches what training needs of a model, as far as it is not there: config, weights as safetensors, the tokenizer's files. Returns
    /// when all of it is in the cache, each file held against the hash that the hub lists. What was fetched before a failure or a stop is
    /// gone on with by the next call. Where the hub does not answer and all is there, that is the result, with a note.
    /// </summary>
    /// <param name="repository">"owner/name".</param>
    /// <param name="revision">A branch, a tag or a commit; null for the default branch.</param>
    /// <param name="settings">Where from, and where to.</param>
    /// <param name="tell">Told what happens, from several threads, one event at a time.</param>
    /// <param name="stop">Ends it.</param>
    /// <exception cref="UserErrorException">There is no such model, it may not be read, or the disk has no room for it.</exception>
    /// <exception cref="FailedException">The hub does not answer, or does not send what it lists.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static HubSnapshot Fetch(
        string repository, string? revision, HubSettings settings, Action<HubEvent>? tell = null, CancellationToken stop = default)
    {
        var job = new HubFetch(settings, HubName.Of(repository, revision), tell);
        return Task.Run(() => job.Run(stop), CancellationToken.None).GetAwaiter().GetResult();
    }

    /// <summary>A model that was fetched before, without asking the hub.</summary>
    /// <param name="model">hf:owner/name, or hf:owner/name@revision.</param>
    /// <param name="settings">Where it lies.</param>
    /// <exception cref="UserErrorException">It is not there, or not all of it: the message says the command that fetches it.</exception>
    public static HubSnapshot Find(string model, HubSettings settings)
    {
        var name = NameOf(model) ?? throw new UserErrorException($"'{model}' is no model of the hub; write {Prefix}owner/name");
        return HubFetch.FromCache(settings, name, note: null, $"`{name.Command}` fetches it");
    }

    /// <summary>What a name stands for; null if it is none of the hub's.</summary>
    /// <exception cref="UserErrorException">It is, and no such name can be.</exception>
    internal static HubName? NameOf(string model) =>
        model.StartsWith(Prefix, StringComparison.Ordinal) ? HubName.Parse(model[Prefix.Length..]) : null;
}
