using Dataflow.Model;

namespace Dataflow.GpuCheck;

/// <summary>A part of the check: cases that need the same and are run one after the other, each in a process of its own.</summary>
internal abstract class Stage
{
    /// <summary>What users call it.</summary>
    public abstract string Name { get; }

    /// <summary>What it shows, for people.</summary>
    public abstract string Title { get; }

    /// <summary>The most that a case may take.</summary>
    public abstract TimeSpan CaseLimit { get; }

    /// <summary>The same of one case, where it differs.</summary>
    public virtual TimeSpan LimitOf(string name) => CaseLimit;

    /// <summary>With less time than that a case is not begun.</summary>
    public virtual TimeSpan LeastOf(string name, CheckSettings settings) => TimeSpan.FromSeconds(3);

    /// <summary>What a case is expected to take on a GPU, from the work that it does: nothing of it has been measured.</summary>
    public virtual TimeSpan ExpectedOf(string name) => TimeSpan.FromSeconds(8);

    /// <summary>All that it has.</summary>
    public abstract IReadOnlyList<string> Cases(CheckSettings settings);

    /// <summary>Those that run where nothing is named.</summary>
    public virtual IReadOnlyList<string> UsualCases(CheckSettings settings) => Cases(settings);

    /// <summary>Those of the usual ones that run in the first round, before any stage's others.</summary>
    public virtual IReadOnlyList<string> FirstCases(CheckSettings settings) => UsualCases(settings);

    /// <summary>The most that a stage's first cases take of one call together, so that the stages after it have their turn.</summary>
    public virtual TimeSpan Share => TimeSpan.FromSeconds(90);

    /// <summary>Runs one.</summary>
    /// <param name="say">Takes lines for people while it runs.</param>
    public abstract CaseResult Run(string name, CheckSettings settings, Action<string> say);
}

/// <summary>A case of a stage.</summary>
/// <param name="Share">The most that the stage's cases take of this round together; null: as long as there is time.</param>
/// <param name="Again">It runs although it is done: it was named.</param>
internal sealed record CheckCase(Stage Stage, string Name, TimeSpan? Share, bool Again = false)
{
    /// <summary>As users name it.</summary>
    public string Title => $"{Stage.Name}/{Name}";
}

/// <summary>All stages, in their order.</summary>
internal static class StageList
{
    /// <summary>
    /// The order matters, since the time of a call on a GPU is short: what is cheap and decisive comes first, then the marks, then what
    /// makes the next call's plans better, then what proves the rest.
    /// </summary>
    public static IReadOnlyList<Stage> All { get; } =
    [
        new MachineStage(),
        new LaunchStage(),
        new CompileStage(),
        new GoldenStage(),
        new SpeedStage(),
        new MarksStage(),
        new CalibrateStage(),
        new BitsStage(),
        new MemoryStage(),
        new KernelStage(),
        new TimelineStage(),
        new PeerStage(),
        new ConformanceStage(),
    ];

    /// <summary>
    /// What runs where nothing is named, in two rounds: in a first call the first cases of every stage, then all others; in a second one
    /// these others before what the first left. A call that ends early goes on in the next one.
    /// </summary>
    public static IReadOnlyList<CheckCase> Usual(CheckSettings settings)
    {
        var first = All.SelectMany(s => s.FirstCases(settings).Select(c => new CheckCase(s, c, s.Share))).ToList();
        // The mark that the project is held to first comes first of what is left, then correctness, then the other marks.
        var others = All.SelectMany(s => s.UsualCases(settings).Select(c => new CheckCase(s, c, null))).ToList();
        others.RemoveAll(o => first.Any(f => f.Title == o.Title));
        var mark = others.Find(o => o.Stage is MarksStage);
        var second = others
            .OrderBy(o =>
                o == mark ? 0
                : o.Stage is MarksStage ? 2
                : o.Stage is PeerStage or ConformanceStage or CompileStage ? 3
                : 1
            )
            .ToList();
        return settings.Call == 2 ? [.. second, .. first.Select(f => f with { Share = null })] : [.. first, .. second];
    }

    /// <summary>Their names.</summary>
    public static string Names => string.Join(", ", All.Select(s => s.Name));

    /// <summary>Refuses what is no stage.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public static void CheckName(string wanted)
    {
        if (All.All(s => s.Name != wanted.Split('/')[0]))
        {
            throw new UserErrorException(
                $"'{wanted}' is no stage; choose among {Names}, or name one case of a stage, as in marks/8b-8192-24"
            );
        }
    }
}
