using Dataflow.Conformance;

namespace Dataflow.Oracle.Tests;

/// <summary>A device's losses, gradients and training of random cases against TorchSharp's autograd in float64.</summary>
public abstract class OracleSuite<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    /// <summary>Compares the device with the oracle; the bounds are those of the README.</summary>
    protected static void Compare(OracleCase one, Agreement agreement) =>
        OracleComparison.Compare(one, (schedule, workload) => Device.Open(schedule, workload, one.Seed), agreement);

    /// <summary>Compares all seeds and says how far they are off.</summary>
    protected static void CompareAll(IEnumerable<int> seeds, Func<int, OracleCase>? caseOf = null)
    {
        int[] all = [.. seeds];
        var agreement = new Agreement();
        foreach (int seed in all)
        {
            Compare(caseOf?.Invoke(seed) ?? new OracleCase(seed), agreement);
        }

        Report(all, agreement);
    }

    /// <summary>
    /// The same of mixtures in fp32 alone (in bf16 a token may go elsewhere), those of a number of seeds whose rows have no padding: the
    /// router's loss is over it, too.
    /// </summary>
    protected static void CompareMixtures(IEnumerable<int> seeds)
    {
        var cases = seeds.Select(OracleCase.Mixtures).Where(c => !c.IsMasked).ToList();
        var agreement = new Agreement();
        foreach (var one in cases)
        {
            OracleComparison.CompareFp32(one, (schedule, workload) => Device.Open(schedule, workload, one.Seed), agreement);
        }

        Report([.. cases.Select(c => c.Seed)], agreement);
    }

    private static void Report(int[] all, Agreement agreement)
    {
        agreement.HoldSums(2);
        var output = TestContext.Current.TestOutputHelper;
        output?.WriteLine($"seeds {all[0]} to {all[^1]}, {all.Length} of them");
        output?.WriteLine(agreement.Worst);
        Assert.True(agreement.Faults.Count == 0, $"{agreement.Faults.Count} disagree\n{string.Join("\n", agreement.Faults)}");
    }
}
