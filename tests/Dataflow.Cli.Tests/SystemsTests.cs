using System.Runtime.InteropServices;

namespace Dataflow.Cli.Tests;

/// <summary>Plans are made and simulated on any system; steps run on one.</summary>
public class SystemsTests
{
    [Fact]
    public void Where_no_device_of_ours_runs_a_sentence_says_where_one_does()
    {
        Assert.Null(DeviceOptions.Refusal(linux: true, Architecture.X64, "Debian 12"));
        Assert.Contains("Windows 11 on X64", DeviceOptions.Refusal(linux: false, Architecture.X64, "Windows 11"), StringComparison.Ordinal);
        Assert.Contains("Linux on x86-64", DeviceOptions.Refusal(linux: true, Architecture.Arm64, "Debian 12"), StringComparison.Ordinal);
    }
}
