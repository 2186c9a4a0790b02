using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow;

/// <summary>What a search depends on, as one hash: the request, the machine, and the program itself.</summary>
internal static class PlanKey
{
    // Each of these decides part of an answer: the search, the clock, what is lowered, what kernels take.
    private static readonly string Product = string.Join(
        ' ',
        new[] { typeof(PlanSearch), typeof(Simulator), typeof(Schedule), typeof(ModelConfig) }.Select(t =>
            t.Assembly.ManifestModule.ModuleVersionId
        )
    );

    // A sweep asks for a key a cell, and a machine's text is most of what is hashed.
    private static readonly ConditionalWeakTable<HardwareProfile, string> Machines = [];

    /// <summary>Of a request within its budgets on a machine.</summary>
    public static string Of(PlanRequest request, HardwareProfile machine) =>
        Convert.ToHexStringLower(
            SHA256.HashData(
                Encoding.UTF8.GetBytes(
                    string.Join(
                        '\n',
                        Product,
                        MemberText.Of(request),
                        Machines.GetValue(machine, HardwareProfileWriter.Write))
                )
            )
        );

    /// <summary>Of what requests share that one search answers: all but the budgets.</summary>
    public static string OfSearch(PlanRequest request, HardwareProfile machine) =>
        Of(request with { Budget = new MemoryBudget(Bytes.Zero, Bytes.Zero) }, machine);
}
