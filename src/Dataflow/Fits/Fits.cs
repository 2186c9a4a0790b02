using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>A question: does this fit, and how fast is it?</summary>
/// <param name="Model">As it was named.</param>
/// <param name="Config">The model, without an adapter.</param>
/// <param name="Machine">The GPU's profile.</param>
/// <param name="Method">What of it is trained.</param>
/// <param name="Seqlen">Tokens of a sequence.</param>
/// <param name="Budget">Device and host memory.</param>
public sealed record FitCase(string Model, ModelConfig Config, HardwareProfile Machine, FitMethod Method, int Seqlen, MemoryBudget Budget);

/// <summary>What a case that fits comes to, all of it predicted.</summary>
/// <param name="TokensPerSecond">Tokens a second.</param>
/// <param name="StepTokens">Tokens of a step: as many as hide the update. Larger steps are more rounds and take no more memory.</param>
/// <param name="Device">Device memory that the plan takes.</param>
/// <param name="Host">Host memory that it takes.</param>
/// <param name="WithMoreDevice">Tokens a second with 1 GiB more of device memory.</param>
/// <param name="WithMoreHost">Tokens a second with 1 GiB more of host memory.</param>
/// <param name="WithFasterLinks">Tokens a second of the same plan where the links to the device are twice as fast.</param>
public sealed record FitFigures(
    double TokensPerSecond,
    long StepTokens,
    Bytes Device,
    Bytes Host,
    double WithMoreDevice,
    double WithMoreHost,
    double WithFasterLinks
);

/// <summary>An answer.</summary>
/// <param name="Case">What was asked.</param>
/// <param name="Figures">Null: it does not fit.</param>
/// <param name="Reason">Why it does not, a sentence; null: it fits.</param>
/// <param name="LeastHost">The least host memory with which it would fit; null where there is none, or nothing is missing.</param>
public sealed record FitAnswer(FitCase Case, FitFigures? Figures, string? Reason, Bytes? LeastHost);

/// <summary>Whether models can be trained on GPUs, how fast, and what more memory or faster links would bring. Nothing runs.</summary>
public static class Fits
{
    private const int Faster = 2;
    private static readonly Bytes s_more = Bytes.FromGiB(1);

    /// <summary>Of a GPU's memory what a plan may take, where nobody says otherwise.</summary>
    /// <exception cref="UserErrorException">The profile is of no GPU.</exception>
    public static Bytes DeviceMemory(HardwareProfile machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        return machine is { Kind: HardwareKind.Gpu, DeviceMemory: { } physical }
            ? new Bytes((long)(physical.Value * Budgets.GpuShare))
            : throw new UserErrorException($"{machine.Name} is no GPU with a memory of its own; name another machine");
    }

    /// <summary>Answers many; those that differ in memory alone share a search, and groups go side by side.</summary>
    /// <param name="cases">What is asked.</param>
    /// <param name="answered">Told of each answer with its case's number, from several threads and in any order.</param>
    public static void Answer(IReadOnlyList<FitCase> cases, Action<int, FitAnswer> answered)
    {
        ArgumentNullException.ThrowIfNull(cases);
        var requests = new List<SimulationRequest>();
        var parts = new Dictionary<int, Parts>();
        for (int i = 0; i < cases.Count; i++)
        {
            try
            {
                var asked = Request(cases[i]);
                parts[requests.Count] = new Parts(i, cases[i]);
                requests.AddRange([asked, With(asked, s_more, Bytes.Zero), With(asked, Bytes.Zero, s_more)]);
            }
            catch (UserErrorException e)
            {
                answered(i, new FitAnswer(cases[i], null, e.Message, null));
            }
        }

        SimulationGroups.Answer(requests, PlanCache.None, (n, answer) =>
        {
            int first = n / Parts.Count * Parts.Count;
            if (parts[first].Take(n - first, answer) is { } whole)
            {
                answered(parts[first].Number, whole);
            }
        });
    }

    private static SimulationRequest Request(FitCase asked) => new(
        asked.Model,
        FitMethods.Trained(asked.Config, asked.Method),
        asked.Seqlen,
        asked.Budget,
        asked.Machine,
        PlanPolicy.Auto);

    private static SimulationRequest With(SimulationRequest request, Bytes device, Bytes host) =>
        request with { Budget = new MemoryBudget(request.Budget.Host + host, request.Budget.Device + device) };

    /// <summary>The tokens a second of a plan where the links are faster; a plan made for these is no slower.</summary>
    private static double OnFasterLinks(SimulatedStep step, HardwareProfile machine, Recipe recipe)
    {
        var rates = Plans.CostsOn(machine, recipe).Links;
        var faster = rates with { Links = [.. rates.Links.Select(l => new LinkRate(l.Alone * Faster, l.BothBusy * Faster))] };
        double seconds = Simulator.Steady(step.Schedule, step.Costs.AsSpan(), faster).StepNanoseconds / 1e9;
        return step.Throughput.TokensPerSecond * step.Seconds / seconds;
    }

    /// <summary>The three answers that a case consists of, as they come.</summary>
    private sealed class Parts(int number, FitCase asked)
    {
        public const int Count = 3;
        private readonly double[] speeds = new double[Count];
        private readonly Lock gate = new();
        private FitFigures? figures;
        private SimulationAnswer.Infeasible? refused;
        private int taken;

        public int Number => number;

        /// <summary>The whole, with the last of them.</summary>
        public FitAnswer? Take(int part, SimulationAnswer answer)
        {
            var step = (answer as SimulationAnswer.Feasible)?.Step;
            double faster = part == 0 && step is not null ? OnFasterLinks(step, asked.Machine, answer.Request.ChosenRecipe) : 0;
            lock (gate)
            {
                speeds[part] = step?.Throughput.TokensPerSecond ?? 0;
                if (part == 0)
                {
                    refused = answer as SimulationAnswer.Infeasible;
                    figures = step is null ? null
                        : new FitFigures(speeds[0], step.Geometry.TokensPerStep, step.Device, step.Host, 0, 0, faster);
                }

                return ++taken < Count ? null
                    : new FitAnswer(
                        asked,
                        figures is null ? null : figures with { WithMoreDevice = speeds[1], WithMoreHost = speeds[2] },
                        refused?.Reason,
                        refused?.Smallest is { Host: var least } && least > Bytes.Zero ? least : null);
            }
        }
    }
}
