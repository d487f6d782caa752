"""What each command is to the sink, a file each; `table` names them all."""
