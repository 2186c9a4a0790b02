using System.CommandLine;
using Dataflow.Model;

namespace Dataflow.Cli.Tests;

/// <summary>An option that cannot act is refused.</summary>
public class OptionNeedsTests
{
    [Theory]
    [InlineData("--checkpoint-every 2", "--checkpoint")]
    [InlineData("--keep 3", "--checkpoint")]
    [InlineData("--grace 60", "--checkpoint")]
    [InlineData("--validate-every 5", "--validation")]
    [InlineData("--overwrite", "--export")]
    [InlineData("--trace-steps 2", "--trace or --page")]
    [InlineData("--profile-steps 1,2", "--device cuda")]
    [InlineData("--device cpu --cuda-graphs on", "--device cuda")]
    [InlineData("--device cuda-emulated --threads 1", "--threads")]
    public void It_is_refused_where_it_does_nothing(string options, string part)
    {
        string[] arguments = ["nosuch", "--seqlen", "64", .. options.Split(' ')];
        var parsed = TrainVerb.Command().Parse(arguments);
        Assert.Empty(parsed.Errors);
        var refused = Assert.Throws<UserErrorException>(() =>
            parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false })
        );
        Assert.Contains(part, refused.Message, StringComparison.Ordinal);
    }
}
