namespace Dataflow;

/// <summary>Who said a setting of a run.</summary>
public enum SettingOrigin
{
    /// <summary>Nobody: it is the program's own default.</summary>
    Default,

    /// <summary>Nobody: the planner chose it for this machine and these budgets.</summary>
    Planned,

    /// <summary>The program that runs it, by the library: what it left to the library is not told apart.</summary>
    Program,

    /// <summary>The command line.</summary>
    CommandLine,

    /// <summary>The run file.</summary>
    RunFile,

    /// <summary>The saved run that is gone on with.</summary>
    SavedRun,
}

/// <summary>A setting of a run.</summary>
/// <param name="Name">That of its option without the dashes.</param>
/// <param name="Values">As that option takes them: several only where it may be given again.</param>
/// <param name="Origin">Who said so.</param>
public sealed record RunSetting(string Name, IReadOnlyList<string> Values, SettingOrigin Origin)
{
    /// <summary>Who said so, in a word or two.</summary>
    public string SaidBy => Origin switch
    {
        SettingOrigin.Default => "default",
        SettingOrigin.Planned => "planned",
        SettingOrigin.Program => "program",
        SettingOrigin.CommandLine => "command line",
        SettingOrigin.RunFile => "run file",
        _ => "saved run",
    };
}
