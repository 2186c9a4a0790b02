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
    public virtual TimeSpan CaseLeast(CheckSettings settings) => TimeSpan.FromSeconds(3);

    /// <summary>All that it has.</summary>
    public abstract IReadOnlyList<string> Cases(CheckSettings settings);

    /// <summary>Those that run where nothing is named.</summary>
    public virtual IReadOnlyList<string> UsualCases(CheckSettings settings) => Cases(settings);

    /// <summary>Runs one.</summary>
    /// <param name="say">Takes lines for people while it runs.</param>
    public abstract CaseResult Run(string name, CheckSettings settings, Action<string> say);
}

/// <summary>All stages, in their order.</summary>
internal static class StageList
{
    /// <summary>The order matters: what is cheap and decisive comes first, and calibration before what plans with its profile.</summary>
    public static IReadOnlyList<Stage> All { get; } =
    [
        new MachineStage(), new KernelStage(), new GoldenStage(), new BitsStage(), new MemoryStage(), new CalibrateStage(), new SpeedStage(), new MarksStage(), new ConformanceStage(), new PeerStage(),
    ];

    /// <summary>Their names.</summary>
    public static string Names => string.Join(", ", All.Select(s => s.Name));

    /// <summary>Refuses what is no stage.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public static void CheckName(string wanted)
    {
        if (All.All(s => s.Name != wanted.Split('/')[0]))
        {
            throw new UserErrorException($"'{wanted}' is no stage; choose among {Names}, or name one case of a stage, as in marks/8b-8192-24");
        }
    }
}
