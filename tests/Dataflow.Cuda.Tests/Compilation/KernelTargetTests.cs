using Dataflow.Model;

namespace Dataflow.Cuda.Tests;

public class KernelTargetTests
{
    [Theory]
    [InlineData(8, 0, "sm_80 compute_80")]
    [InlineData(8, 6, "sm_86 sm_80 compute_80")]
    [InlineData(8, 7, "sm_86 sm_80 compute_80")]
    [InlineData(8, 9, "sm_89 sm_86 sm_80 compute_80")]
    [InlineData(9, 0, "sm_90a compute_80")]
    [InlineData(10, 0, "compute_80")]
    [InlineData(12, 0, "compute_80")]
    [InlineData(7, 5, "")]
    public void A_GPU_runs_its_own_code_older_code_of_its_major_version_and_text(int major, int minor, string expected) =>
        Assert.Equal(expected, string.Join(' ', KernelTarget.For(new ComputeCapability(major, minor), KernelTarget.Shipped)));

    [Theory]
    [InlineData(9, 0, "sm_90a")]
    [InlineData(8, 6, "sm_86")]
    [InlineData(10, 0, "compute_90")]
    public void A_compiler_makes_machine_code_where_it_knows_the_GPU_else_text(int major, int minor, string expected) =>
        Assert.Equal(expected, KernelTarget.Best(new ComputeCapability(major, minor), [new(8, 0), new(8, 6), new(9, 0)]).Name);

    [Fact]
    public void A_GPU_that_is_too_old_is_refused_in_words() =>
        Assert.Contains(
            "sm_75",
            Assert.Throws<MachineException>(() => KernelTarget.Best(new ComputeCapability(7, 5), [new(8, 0)])).Message,
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData("sm_80")]
    [InlineData("sm_90a")]
    [InlineData("sm_120")]
    [InlineData("compute_80")]
    public void A_name_is_parsed_to_what_prints_it(string name) => Assert.Equal(name, KernelTarget.Parse(name).Name);

    [Theory]
    [InlineData("")]
    [InlineData("sm80")]
    [InlineData("sm_8")]
    [InlineData("sm_75")]
    [InlineData("compute_90a")]
    [InlineData("gfx_900")]
    [InlineData("sm_80_90")]
    public void Other_names_are_refused(string name) => Assert.Throws<UserErrorException>(() => KernelTarget.Parse(name));
}
