using System.Text.Json.Nodes;

namespace Dataflow.Model.Tests;

/// <summary>Measured rates of a profile: exact at their points, between neighbours elsewhere.</summary>
public class KernelRatesTests
{
    private static HardwareProfile With(string kernels)
    {
        var profile = JsonNode.Parse(Repository.Read("profiling", "hardware", "cpu.json"))!.AsObject();
        profile["kernels"] = JsonNode.Parse(kernels);
        return HardwareProfileReader.Parse(profile.ToJsonString(), "a.json");
    }

    private const string Measured = """
        { "operands": "fp32", "source": "measured for this test", "rates": {
          "RmsNormForward": [[4096, 1e9], [65536, 4e9]],
          "GemmForward": [[64, 64, 64, 1e10], [1024, 1024, 1024, 4e10]] } }
        """;

    [Theory]
    [InlineData(4096, 1e9), InlineData(16384, 2e9), InlineData(65536, 4e9), InlineData(64, 1e9), InlineData(1e9, 4e9)]
    public void Rates_by_bytes_lie_on_a_line_of_logarithms_and_end_with_the_points(double bytes, double rate) =>
        Assert.Equal(rate, With(Measured).Kernels!.PerSecond(Kernel.RmsNormForward, KernelWork.Memory(bytes))!.Value, 1.0);

    [Theory]
    [InlineData(64, 1e10), InlineData(1024, 4e10), InlineData(256, 2e10)]
    public void Rates_by_shape_are_the_points_own_and_their_mean_half_way(double side, double rate) =>
        Assert.Equal(rate, With(Measured).Kernels!.PerSecond(Kernel.GemmForward, KernelWork.Gemm(side, side, side, 0))!.Value, 1e3);

    [Fact]
    public void What_was_not_measured_has_no_rate()
    {
        var kernels = With(Measured).Kernels!;
        Assert.Equal(DType.Float32, kernels.Operands);
        Assert.Null(kernels.PerSecond(Kernel.Update, KernelWork.Memory(100)));
    }

    [Theory]
    [InlineData("AdamW", Kernel.Update)]
    [InlineData("SwiGluForward", Kernel.GatedActivationForward)]
    [InlineData("SwiGluBackward", Kernel.GatedActivationBackward)]
    public void Profiles_that_call_a_kernel_by_an_earlier_name_are_read(string name, Kernel kernel)
    {
        var kernels = With($$"""{ "operands": "fp32", "source": "of an earlier program", "rates": { "{{name}}": [[100, 5]] } }""").Kernels!;
        Assert.Equal(5, kernels.PerSecond(kernel, KernelWork.Memory(100)));
    }

    [Theory]
    [InlineData(
        """{ "operands": "fp32", "source": "a test that says so", "rates": { "Gemm": [[1, 1, 1, 1]] } }""",
        "kernels.rates.Gemm is no kernel of the catalog"
    )]
    [InlineData(
        """{ "operands": "fp32", "source": "a test that says so", "rates": { "AdamW": [[1, 1, 1, 1]] } }""",
        "kernels.rates.AdamW must be a list of rows of 2 numbers"
    )]
    [InlineData(
        """{ "operands": "fp32", "source": "a test that says so", "rates": { "AdamW": [[1, 2], [1, 3]] } }""",
        "two rates for the same bytes"
    )]
    [InlineData(
        """{ "operands": "fp32", "source": "a test that says so", "rates": { "GemmForward": [[1, 1, 1, 0]] } }""",
        "numbers above 0"
    )]
    [InlineData("""{ "operands": "fp8", "source": "a test that says so", "rates": {} }""", "kernels.operands must be")]
    [InlineData("""{ "operands": "fp32", "rates": {} }""", "kernels.source is missing")]
    public void What_is_wrong_with_them_is_said(string kernels, string message) =>
        Assert.Contains(message, Assert.Throws<UserErrorException>(() => With(kernels)).Message, StringComparison.Ordinal);
}
