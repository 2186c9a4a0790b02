using Dataflow.Model;

namespace Dataflow.Cuda.Tests.Cudnn;

/// <summary>What is missing is said before the library would end the process, or find nothing in silence.</summary>
public class CudnnLibraryTests
{
    [Fact]
    public void Without_cuBLASLt_or_without_cuDNN_the_first_call_says_what_to_install()
    {
        Assert.SkipWhen(CudaLibraries.Lack(CudaLibrary.Cudnn) is null, "this machine has cuDNN");
        var missing = Assert.Throws<MissingLibraryException>(() => CudnnHandle.LibraryVersion);
        Assert.Equal(CudaLibrary.Cudnn, missing.Library);
        Assert.Matches("^(cuDNN was not found|cuDNN cannot be loaded without cuBLASLt: cuBLASLt, which multiplies)", missing.Message);
        Assert.DoesNotContain('\n', missing.Message);
        Assert.IsType<MachineException>(missing, exactMatch: false);
    }

    [Theory]
    [InlineData("9.20.0", true)]
    [InlineData("9.21.0", false)]
    public void Releases_that_compile_by_NVRTC_are_refused_without_it(string release, bool refused)
    {
        Assert.Null(CudnnNeeds.Lack(new Version(release), null));
        string? lack = CudnnNeeds.Lack(new Version(release), "NVRTC was not found");
        Assert.Equal(refused, lack is not null);
        Assert.Equal(refused, lack?.EndsWith("finds none and says nothing: NVRTC was not found", StringComparison.Ordinal) == true);
    }
}
