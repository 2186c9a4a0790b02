using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow;

/// <summary>What a run tells of itself while it happens, in the order in which it happens.</summary>
public abstract record RunEvent
{
    private RunEvent()
    {
    }

    /// <summary>A model was opened.</summary>
    /// <param name="Notes">What its file says in vain, a sentence each.</param>
    public sealed record Opened(IReadOnlyList<string> Notes) : RunEvent;

    /// <summary>What to know about the run, a sentence each.</summary>
    public sealed record Noted(IReadOnlyList<string> Notes) : RunEvent;

    /// <summary>What may go wrong, in a sentence.</summary>
    public sealed record Warned(string Warning) : RunEvent;

    /// <summary>What the planner says. The run goes on if that is a plan.</summary>
    /// <param name="Request">What it was asked.</param>
    /// <param name="Result">A plan, or why there is none.</param>
    /// <param name="Budgets">The budgets and how they came about.</param>
    /// <param name="By">Who planned.</param>
    /// <param name="Notes">What to know about the plan.</param>
    public sealed record Planned(PlanRequest Request, PlanResult Result, Budgets Budgets, PolicySettings By, PlanNotes Notes) : RunEvent;

    /// <summary>All settings of the run, as they are in effect.</summary>
    public sealed record Described(RunDescription Run) : RunEvent;

    /// <summary>Where the run takes place, what it trains on, and which weights it begins with.</summary>
    public sealed record Starting(string Device, string Data, string Weights) : RunEvent;

    /// <summary>What the simulator says a step takes; null where the machine has no profile.</summary>
    public sealed record Predicted(Prediction? Prediction) : RunEvent;

    /// <summary>The learning rate is another one in some steps than in others.</summary>
    public sealed record Scheduled(LearningRateSchedule Rates) : RunEvent;

    /// <summary>What the loss is measured on besides, and how often.</summary>
    public sealed record Validating(string What) : RunEvent;

    /// <summary>A setting is another one than the saved run had.</summary>
    public sealed record Changed(SettingChange Change) : RunEvent;

    /// <summary>What is going to be saved.</summary>
    /// <param name="Plan">Of the saves.</param>
    /// <param name="StepSeconds">Predicted seconds of a step; null where nothing is predicted.</param>
    /// <param name="Data">What the run learns from.</param>
    public sealed record SavesPlanned(SavePlan Plan, double? StepSeconds, RunData? Data) : RunEvent;

    /// <summary>A step is done.</summary>
    public sealed record Stepped(StepResult Step) : RunEvent;

    /// <summary>A checkpoint is complete.</summary>
    public sealed record Saved(SavedStep Step) : RunEvent;

    /// <summary>A checkpoint could not be written; training goes on.</summary>
    public sealed record SaveFailed(int Step, string Why) : RunEvent;

    /// <summary>The run was asked to end before its last step.</summary>
    public sealed record Interrupted(int Step, int Steps) : RunEvent;

    /// <summary>The run is over, and has taken steps.</summary>
    public sealed record Finished(RunSummary Summary) : RunEvent;

    /// <summary>Something failed besides what ended the steps; that is thrown.</summary>
    public sealed record Failed(string What) : RunEvent;
}
