using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>Plans that may run.</summary>
public static class Plans
{
    private const int MostListed = 3;

    /// <summary>The plan, proved.</summary>
    /// <exception cref="InfeasibleException">None fits.</exception>
    /// <exception cref="FailedException">The verifier refuses it.</exception>
    public static TrainingPlan Require(PlanResult result)
    {
        if (result is PlanResult.Infeasible infeasible)
        {
            throw new InfeasibleException(infeasible.Reason);
        }

        var plan = ((PlanResult.Feasible)result).Plan;
        var errors = Work.Named("verifying the schedule", () =>
            ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, plan.Workload.Model)
        );
        return errors.Count == 0
            ? plan
            : throw new FailedException(
                $"the plan has {errors.Count} errors and will not run: "
                    + $"{string.Join("; ", errors.Take(MostListed).Select(e => $"[{e.Rule}] {e.Message}"))}"
            );
    }

    /// <summary>Plans what is asked for.</summary>
    /// <returns>A plan; or why there is none, with the smallest budgets that would do and the nearest changes that would fit.</returns>
    /// <exception cref="UserErrorException">There is no such model or machine, or the request contradicts itself.</exception>
    public static PlanResult Make(PlanOptions options) => Make(Ask(options).Question);

    /// <summary>Opens the model, chooses the budgets that were not given, and finds who plans.</summary>
    /// <param name="options">What is asked for.</param>
    /// <param name="data">What is to be trained on, if anything is: a step has no more rows than it.</param>
    /// <exception cref="UserErrorException">There is no such model or machine, or the data cannot be used.</exception>
    /// <exception cref="MachineException">A GPU was asked for, and there is none that can be used.</exception>
    public static PlanAsked Ask(PlanOptions options, DataChoice? data = null)
    {
        var here = options.Hardware is null ? options.Device.Gpu : null; // no other machine's, which is not looked at
        options = options.Completed;
        var by = options.By;
        using var source = ModelSource.Open(options.Model).Trained(options);
        var budgets = Budgets.Choose(options) with
        {
            HostIsThisMachines = options is { HostMemory: null, Hardware.Kind: HardwareKind.Gpu },
        };
        budgets = here is null ? budgets : budgets.Pinnable(here);
        var (rows, isPacked) = TrainingData.RowsOf(data ?? DataChoice.None, options.Seqlen, source);
        var question = new PlanQuestion(options with { IsPacked = isPacked }, source.Model, budgets.Memory, by, rows);
        string[] pinning = budgets.Pinning is { } said ? [said] : [];
        return new PlanAsked(question, budgets, [.. source.Notes, .. source.NotesOf(options.Seqlen), .. pinning]);
    }

    /// <summary>Plans by the simple rules, with a word to a terminal that waits.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself, or its sizes are beyond counting.</exception>
    public static PlanResult Make(PlanRequest request) => Make(request, PolicySettings.Simple);

    /// <summary>Plans as the policy says; where nothing fits, with the nearest changes that would.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself, or its sizes are beyond counting.</exception>
    public static PlanResult Make(PlanQuestion question) => WithChanges(question, Make(question.Request, question.By));

    /// <summary>Plans as the policy says.</summary>
    /// <exception cref="UserErrorException">The request contradicts itself, or its sizes are beyond counting.</exception>
    public static PlanResult Make(PlanRequest request, PolicySettings by) =>
        Counted(() =>
            by.Policy == PlanPolicy.Auto
                ? Work.Named("searching for the fastest plan", () =>
                    new BudgetSearch(request, by.Machine!, by.Cache).Plan(request.Budget)
                )
                : Work.Named("planning", () => Planner.Plan(request))
        );

    /// <summary>Plans as the policy says, and says why it is this plan.</summary>
    /// <returns>Why is null if there is no plan.</returns>
    /// <exception cref="UserErrorException">There is no machine to say it of, the request contradicts itself, or its sizes are beyond
    /// counting.</exception>
    public static (PlanResult Result, PlanExplanation? Why) Explain(PlanQuestion question)
    {
        var (request, by) = (question.Request, question.By);
        var machine = by.Machine
            ?? throw new UserErrorException(
                "--explain says what a machine makes of a plan, and this one has no profile: measure it with `dataflow calibrate`, or "
                    + "name one with --hardware"
            );
        return Counted(() => Work.Named("searching for the fastest plan", () =>
            {
                var search =
                    by.Policy == PlanPolicy.Auto
                        ? new BudgetSearch(request, machine, by.Cache, PlanExplanation.Largest(request.Budget))
                        : null;
                var (result, found) = search?.Search(request.Budget) ?? (Planner.Plan(request), null);
                if (result is not PlanResult.Feasible { Plan: var plan })
                {
                    return (WithChanges(question, result), (PlanExplanation?)null);
                }

                var model = CostsOn(machine, request.Recipe);
                var costs = StepCosts.Of(plan.Schedule, plan.Workload, model);
                var timeline = Simulator.Steady(plan.Schedule, costs.Ops.AsSpan(), model.Links);
                var why = PlanExplanation.Of(plan.Schedule, timeline, costs.Ops.AsSpan(), plan.Workload.Geometry.TokensPerStep) with
                {
                    Links = LinkNeed.Of(costs.Ops.AsSpan(), model.Links, rates =>
                        Simulator.Steady(plan.Schedule, costs.Ops.AsSpan(), rates).StepNanoseconds
                    ),
                };
                return (result, found is null ? why : why.With(found, request.Budget, search!.Find));
            }));
    }

    /// <summary>Parameters, gradients and optimizer state.</summary>
    public static Bytes ModelState(TrainingPlan plan) => ModelState(plan.Workload.Model, plan.Workload.Recipe, plan.Workload.Optimizer);

    /// <summary>Parameters, gradients and optimizer state; of what is frozen the parameters alone.</summary>
    public static Bytes ModelState(ModelConfig model, Recipe recipe, Optimizer optimizer)
    {
        var trained = new Bytes(model.TrainedParameterCount * (recipe.Parameters.Size() + recipe.Gradients.Size()));
        return trained + optimizer.StateSize(model, recipe) + model.FrozenSize(recipe);
    }

    private static PlanResult WithChanges(PlanQuestion question, PlanResult result)
    {
        if (result is not PlanResult.Infeasible refused)
        {
            return result;
        }

        var changes = Work.Named("looking for what fits", () => NearestChanges.Of(question));
        return changes.Count == 0
            ? refused
            : refused with
            {
                Changes = [.. changes],
                Reason = $"{refused.Reason}; within these budgets {NearestChanges.Listed(changes)}",
            };
    }

    /// <summary>What kernels and copies take on a machine.</summary>
    public static CostModel CostsOn(HardwareProfile machine, Recipe recipe) => new(machine, recipe.Activations);

    /// <summary>What is too large to be counted is the user's to mend.</summary>
    /// <exception cref="UserErrorException">It is.</exception>
    public static T Counted<T>(Func<T> plan)
    {
        try
        {
            return plan();
        }
        catch (OverflowException)
        {
            throw new UserErrorException("seqlen, chunks and rounds of this size take more memory than can be counted; give smaller ones");
        }
    }

    /// <summary>All errors of a schedule of a model's step. A budget that is null is not checked.</summary>
    public static IReadOnlyList<ScheduleError> Verify(Schedule schedule, Bytes? device, Bytes? host, ModelConfig model) =>
        ScheduleVerifier.Verify(
            schedule,
            [
                .. schedule.Arenas.Select(a =>
                    (a.Name == MemoryTier.Device.Name ? device
                    : a.Name == MemoryTier.Host.Name ? host
                    : null) ?? a.Length
                ),
            ],
            model
        );
}
