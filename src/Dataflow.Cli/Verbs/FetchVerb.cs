using System.CommandLine;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>dataflow fetch: a model of the hub into the user's cache.</summary>
internal static class FetchVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow fetch Qwen/Qwen3-0.6B",
        "dataflow fetch Qwen/Qwen3-0.6B --revision main --json",
        "dataflow plan hf:Qwen/Qwen3-0.6B --seqlen 4k --device-memory 8GiB --host-memory 16GiB --hardware h100",
    ];

    /// <summary>The command.</summary>
    public static Command Command() => Command(HubSettings.FromEnvironment);

    /// <summary>With settings of a test's own.</summary>
    public static Command Command(Func<HubSettings> settings)
    {
        var command = new Command(
            "fetch",
            "Fetches a model from the Hugging Face hub into the cache that its programs share; elsewhere it is then called hf:owner/name. "
                + "The variables of these programs hold: HF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE, HTTPS_PROXY."
        );
        var model = Declare.Argument("owner/name", "the model, as the hub calls it; hf: before it does no harm", Values.FilePath);
        var revision = Declare.Option<string?>("--revision", "REV", "a branch, a tag or a commit [default: main]", Values.FilePath);
        var json = Declare.Flag("--json", "print one JSON object");
        command.Arguments.Add(model);
        command.Options.Add(revision);
        command.Options.Add(json);
        command.SetAction(parsed => (int)Execute(
            parsed.GetRequiredValue(model), parsed.GetValue(revision), parsed.GetValue(json), settings()));
        return command;
    }

    private static ExitCode Execute(string model, string? revision, bool json, HubSettings settings)
    {
        string repository = model.StartsWith(Hub.Prefix, StringComparison.Ordinal) ? model[Hub.Prefix.Length..] : model;
        if (repository.IndexOf('@', StringComparison.Ordinal) is var at and >= 0)
        {
            revision = revision is null ? repository[(at + 1)..]
                : throw new UserErrorException($"'{model}' names a revision, and so does --revision; give one of them");
            repository = repository[..at];
        }

        using var stop = new StopSignals();
        using var report = new FetchReport(repository, files: !json);
        HubSnapshot snapshot;
        try
        {
            snapshot = Hub.Fetch(repository, revision, settings, report.Take, stop.Token);
        }
        catch (OperationCanceledException) when (stop.By is { } signal)
        {
            report.Dispose();
            Messages.Tell($"stopped; what was fetched of {repository} is kept, and the same command goes on");
            return Interruption.CodeOf(signal);
        }

        report.Dispose();
        if (json)
        {
            Console.Out.WriteLine(Json(snapshot).ToJsonString());
        }
        else
        {
            Console.Out.WriteLine(FetchReport.Line(snapshot));
        }

        return ExitCode.Ok;
    }

    private static JsonObject Json(HubSnapshot snapshot) => new()
    {
        ["repository"] = snapshot.Repository,
        ["commit"] = snapshot.Commit,
        ["folder"] = snapshot.Folder,
        ["files"] = snapshot.Files,
        ["bytes"] = snapshot.Length.Value,
        ["fetched_files"] = snapshot.FetchedFiles,
        ["fetched_bytes"] = snapshot.Fetched.Value,
        ["note"] = snapshot.Note,
    };
}
