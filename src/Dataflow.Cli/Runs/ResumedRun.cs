using System.CommandLine;
using System.CommandLine.Parsing;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>A saved run that a command line goes on with.</summary>
/// <param name="Checkpoint">The newest good one.</param>
/// <param name="Folder">As it was given to --resume; or where that is a checkpoint itself, the folder that it is in.</param>
/// <param name="Notices">What was found on the way, in a sentence each.</param>
internal sealed record ResumedRun(StoredCheckpoint Checkpoint, string Folder, IReadOnlyList<string> Notices)
{
    private const string LockName = ".lock";

    // Positional arguments of the demo, by the options that say the same.
    private static readonly Dictionary<string, string> Named = new() { ["host_gb"] = "host-memory", ["dev_gb"] = "device-memory" };

    /// <summary>What the checkpoint says of the run, the way options say it.</summary>
    public IReadOnlyDictionary<string, string> Settings => Checkpoint.Progress.Settings;

    /// <summary>Finds it; null where nothing is to be resumed.</summary>
    /// <exception cref="UserErrorException">There is no checkpoint that can be gone on with.</exception>
    public static ResumedRun? Find(string? folder)
    {
        if (folder is null)
        {
            return null;
        }

        var notices = new List<string>();
        var found = Search(folder, notices);
        bool itself = Path.GetFullPath(found.Folder) == Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        return new ResumedRun(found, itself ? found.Parent : folder, notices);
    }

    /// <summary>The command line with what it leaves out as the run was saved.</summary>
    /// <exception cref="UserErrorException">What was saved cannot be used.</exception>
    public ParseResult Complete(ParseResult given)
    {
        var command = given.CommandResult.Command;
        var (options, arguments) = (new List<string>(), new List<string>());
        bool otherData = command.Options.Any(o => IsData(o) && given.WasGiven(o)); // each takes the other's place
        foreach (var option in command.Options.Where(o => !given.WasGiven(o) && !(otherData && IsData(o))))
        {
            if (Settings.TryGetValue(option.Name.TrimStart('-'), out string? value))
            {
                options.AddRange([option.Name, value]);
            }
        }

        foreach (var argument in command.Arguments.Where(a => given.GetResult(a) is null or { Tokens.Count: 0 }))
        {
            string name = Named.GetValueOrDefault(argument.Name, argument.Name);
            arguments.Add(
                Settings.GetValueOrDefault(name)
                    ?? throw new UserErrorException(
                        $"{Checkpoint.Folder} does not say with which {name} it was trained; give <{argument.Name}>"
                    )
            );
        }

        string[] verbs = [.. given.Tokens.TakeWhile(t => t.Type == TokenType.Command).Select(t => t.Value)];
        string[] rest = [.. given.Tokens.Skip(verbs.Length).Select(t => t.Value)];
        var completed = given.RootCommandResult.Command.Parse([.. verbs, .. options, .. rest, .. arguments], given.Configuration);
        return completed.Errors.Count == 0
            ? completed
            : throw new UserErrorException(
                $"what {Checkpoint.Folder} says of its run cannot be used ({completed.Errors[0].Message.TrimEnd('.')}); give that option "
                    + $"anew"
            );
    }

    private static StoredCheckpoint Search(string folder, List<string> notices)
    {
        try
        {
            return CheckpointSearch.Find(folder, notices.Add);
        }
        catch (UserErrorException) when (File.Exists(Path.Combine(folder, LockName)))
        {
            // Another run that saves there removes old ones while they are looked at: if there is one, that is what to say.
            CheckpointStore.Open(folder, 1, notices.Add).Dispose();
            throw;
        }
    }

    private static bool IsData(Option option) => option.Name is "--data" or "--tokens";
}
