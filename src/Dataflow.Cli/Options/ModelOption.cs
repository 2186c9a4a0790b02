using System.CommandLine;

namespace Dataflow.Cli;

/// <summary>--model: another model than that of a run file.</summary>
internal sealed class ModelOption : Option<string?>
{
    /// <summary>The option.</summary>
    public ModelOption()
        : base("--" + RunFile.ModelKey)
    {
        Description = "with a run file: the model in place of the file's";
        HelpName = "MODEL";
        CustomParser = Declare.Parser(Name, text => Values.FilePath(text!))!;
    }
}
