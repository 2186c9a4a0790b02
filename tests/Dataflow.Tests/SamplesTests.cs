using System.Diagnostics;
using System.IO.Compression;

namespace Dataflow.Tests;

/// <summary>Each sample, from the packed packages, in an empty folder with no checkout near.</summary>
[Trait("Slow", "true")]
public class SamplesTests
{
    private const int MostLines = 60;
    private static readonly string s_root = Locations.Root!;

    [Fact]
    public void The_CPU_package_has_the_native_kernels_that_were_built()
    {
        string built = Path.Combine(s_root, "artifacts", "cpu", "libdataflow-cpu.so");
        Assert.True(File.Exists(built), $"{built} is missing: run `make build` where g++ is");
        using var package = ZipFile.OpenRead(Path.Combine(s_root, "artifacts", "packages", "Dataflow.Cpu.0.1.0.nupkg"));
        Assert.Equal(new FileInfo(built).Length, package.GetEntry("runtimes/linux-x64/native/libdataflow-cpu.so")?.Length);
    }

    [Theory]
    [InlineData("Train/train.cs", "step 8: loss ")]
    [InlineData("WillItFit/will-it-fit.cs", "   16GiB | ", "micro", "1k")]
    [InlineData("CustomData/custom-data.cs", "step 5: loss ")]
    public async Task A_sample_runs_from_the_packages(string sample, string part, params string[] arguments)
    {
        string source = Path.Combine(s_root, "samples", sample);
        Assert.InRange(File.ReadLines(source).Count(), 1, MostLines);
        string packages = Path.Combine(s_root, "artifacts", "packages");
        Assert.True(File.Exists(Path.Combine(packages, "Dataflow.0.1.0.nupkg")), $"{packages} is empty: run `make pack`");
        var folder = Directory.CreateTempSubdirectory("dataflow-sample-");
        try
        {
            string file = Path.Combine(folder.FullName, Path.GetFileName(source));
            File.Copy(source, file);
            string fetched = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } given
                ? given
                : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
            File.WriteAllText(
                Path.Combine(folder.FullName, "nuget.config"),
                $"""
                <configuration>
                  <packageSources><clear /><add key="packed" value="{packages}" /></packageSources>
                  <fallbackPackageFolders><add key="fetched" value="{fetched}" /></fallbackPackageFolders>
                </configuration>
                """
            );
            var start = new ProcessStartInfo(Environment.ProcessPath!, ["run", file, "--", .. arguments])
            {
                WorkingDirectory = folder.FullName,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            start.Environment["NUGET_PACKAGES"] = Path.Combine(folder.FullName, "packages");
            start.Environment["DATAFLOW_CACHE"] = Path.Combine(folder.FullName, "cache");
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.True(process.ExitCode == 0, $"status {process.ExitCode}: {await errors}{output}");
            Assert.Contains(part, output, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
